"""The prompt writer's folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny_writer import rows, save_tiny_captioner, save_tiny_writer

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.models.text_decoder.captioner import load_captioner
from prompt_ensemble.models.text_decoder.writer import DESCRIPTION, WEIGHTS, load_writer


def test_a_saved_writer_loads_whole(tmp_path: Path) -> None:
    writer, tokenizer, card = load_writer(save_tiny_writer(tmp_path))
    assert card.decoder.vocabulary == tokenizer.get_vocab_size()
    assert not writer.training


def test_only_the_direction_from_the_centre_is_read(tmp_path: Path) -> None:
    writer, _, _ = load_writer(save_tiny_writer(tmp_path))
    vectors = torch.from_numpy(rows(3))
    damped = writer.centre + 0.2 * (vectors - writer.centre)
    assert torch.allclose(writer.read(vectors), writer.read(damped), atol=1e-4)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (DESCRIPTION, b"{"),
        (DESCRIPTION, b'{"format": 9}'),
        (WEIGHTS, b"nothing"),
    ],
)
def test_a_damaged_folder_is_one_clear_line(tmp_path: Path, file: str, content: bytes) -> None:
    save_tiny_writer(tmp_path)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(BadWeights, match=file):
        load_writer(tmp_path)


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    save_tiny_writer(tmp_path)
    card = json.loads((tmp_path / DESCRIPTION).read_text())
    card["decoder"]["width"] = 32
    (tmp_path / DESCRIPTION).write_text(json.dumps(card))
    with pytest.raises(BadWeights):
        load_writer(tmp_path)


def test_a_saved_captioner_loads_whole(tmp_path: Path) -> None:
    captioner, _ = load_captioner(save_tiny_captioner(tmp_path, features=5, cells=2))
    assert captioner.read(torch.randn(3, 20)).shape == (3, 4, 16)
