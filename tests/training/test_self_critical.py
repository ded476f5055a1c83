"""Self-critical training: rewards rise, and a stopped run goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from tiny_language_model import save_gpt2
from tiny_language_model import spec as language_model_spec
from tiny_tower import NAME, save_tiny_tower
from tiny_writer import PREPROCESSING, TEXTS, TOWER, tiny_spec
from training_samples import encode, write_pairs

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.models.checkpoints import load_state
from prompt_ensemble.models.text_decoder.captioner import Captioner, CaptionerCard
from prompt_ensemble.models.text_decoder.decoder import DecoderSpec
from prompt_ensemble.models.text_decoder.vocabulary import learn_vocabulary
from prompt_ensemble.models.text_decoder.word_pieces import OwnPieces, PublishedPieces, WordPieces
from prompt_ensemble.models.transformers_folders import load_tokenizer
from prompt_ensemble.training.captioner.captioner_training import train_captioner
from prompt_ensemble.training.captioner.examples import CaptionExamples
from prompt_ensemble.training.captioner.recipe import CaptionerRecipe
from prompt_ensemble.training.held_out import HeldOut
from prompt_ensemble.training.journal import Journal
from prompt_ensemble.training.self_critical import (
    advantages,
    closeness,
    draw_texts,
    sound_closeness,
    train_self_critically,
)

FEATURES = 5
RECIPE = CaptionerRecipe(
    self_critical_batch=40,
    average=0.5,
    self_critical_steps=60,
    self_critical_rate=2e-2,
    weight_decay=0.0,
)
KINDS = pytest.mark.parametrize("kind", ["transformer", "recurrent", "language-model"])


def captioner_of(kind: str, folder: Path) -> tuple[Captioner, WordPieces]:
    torch.manual_seed(0)
    if kind == "language-model":
        spec: DecoderSpec = language_model_spec()
        words: WordPieces = PublishedPieces(
            load_tokenizer(save_gpt2(folder / "gpt2")), spec.vocabulary
        )
    else:
        tokenizer = learn_vocabulary(TEXTS, 120)
        spec, words = tiny_spec(tokenizer, kind), OwnPieces(tokenizer)
    return Captioner(CaptionerCard(TOWER, PREPROCESSING, spec, FEATURES, rows=2)).eval(), words


def examples() -> CaptionExamples:
    features = torch.randn(8, FEATURES, generator=torch.Generator().manual_seed(1))
    return CaptionExamples(
        features, torch.zeros(8, 1), torch.arange(1, 9).float(), torch.zeros(FEATURES)
    )


def says_little(captions: Sequence[str], rows: np.ndarray) -> np.ndarray:
    """A toy reward: short captions are good ones."""
    return np.array([1 / (1 + len(caption)) for caption in captions])


@KINDS
def test_the_reward_rises(tmp_path: Path, kind: str) -> None:
    captioner, words = captioner_of(kind, tmp_path)
    train_self_critically(
        captioner, words, examples(), says_little, RECIPE, tmp_path, Accelerator(cpu=True),
        checkpoint_every=20,
    )  # fmt: skip
    notes = Journal(tmp_path / "self-critical").notes()
    rewards = [note["reward"] for note in notes if "reward" in note]
    assert rewards[-1] > 2 * rewards[0]


@KINDS
def test_what_is_drawn_begins_ends_and_holds_only_words(tmp_path: Path, kind: str) -> None:
    captioner, words = captioner_of(kind, tmp_path)
    with torch.no_grad():
        captioner.decoder.load_state_dict(
            {n: t * 0 if "norm" not in n else t for n, t in captioner.decoder.state_dict().items()}
        )  # so that all tokens are about as likely
        drawn = draw_texts(
            captioner, words, torch.randn(300, FEATURES), torch.Generator().manual_seed(0), 9
        )
    assert drawn.shape[1] <= 9
    pad, end = captioner.decoder.pad, words.end
    ended = 0
    for start, *said in drawn.tolist():
        assert start == words.start
        length = said.index(end) if end in said else len(said)
        assert not set(said[:length]) & {*words.never, pad}
        assert set(said[length + 1 :]) <= {pad}
        ended += length < len(said)
    assert ended


def test_a_caption_is_measured_against_the_others_of_its_image() -> None:
    gains = advantages(torch.tensor([[1.0, 0.0, 0.5], [2.0, 2.0, 2.0]]))
    assert torch.allclose(gains, torch.tensor([[0.75, -0.75, 0.0], [0.0, 0.0, 0.0]]))


def test_the_reward_is_the_cosine_with_the_true_prompt() -> None:
    truth = unit_rows(encode(["a red wall", "a blue wall"]))
    rewards = closeness(encode, truth)(["a red wall", "a red wall"], np.array([0, 1]))
    assert rewards[0] == pytest.approx(1, abs=1e-5)
    assert rewards[1] == pytest.approx(float(truth[0] @ truth[1]), abs=1e-5)


def test_a_text_with_a_fault_is_worth_less() -> None:
    truth = unit_rows(encode(["a red wall"]))
    sound, stutter = sound_closeness(encode, truth)(
        ["a red wall", "a red red wall"], np.array([0, 0])
    )
    near = closeness(encode, truth)(["a red red wall"], np.array([0]))[0]
    assert sound == pytest.approx(1, abs=1e-5)
    assert stutter < near - 0.1


def train(folder: Path, out: str, recipe: CaptionerRecipe, **more: object) -> dict[str, object]:
    roots = save_tiny_tower(folder / "weights")
    save_gpt2(folder / "weights" / "gpt2")
    return train_captioner(
        write_pairs(folder / "data"), recipe, folder / out, encode=encode, roots=roots,
        cache=folder / "cache", held_out=HeldOut(share=0), checkpoint_every=2, cpu=True, **more,
    )  # type: ignore[arg-type]  # fmt: skip


TINY = CaptionerRecipe(
    library="timm", tower=NAME, backbone="tower", vocabulary=90, width=32, layers=1, heads=2,
    rows=2, longest=12, steps=4, batch_size=10, rate=1e-2, average=0.5, self_critical_steps=4,
    self_critical_rate=1e-3,
)  # fmt: skip
RECIPES = {
    "own": TINY,
    "frozen": replace(TINY, decoder="language-model", language_model="gpt2"),
    "lora": replace(TINY, decoder="language-model", language_model="gpt2", tuned="lora"),
}


@pytest.mark.parametrize(
    ("name", "stops"),
    [("own", (2,)), ("own", (4,)), ("own", (3, 5)), ("frozen", (7,)), ("lora", (7,))],
)
def test_a_stopped_run_ends_in_the_same_weights(
    tmp_path: Path, name: str, stops: tuple[int, ...]
) -> None:
    if name == "lora":
        pytest.importorskip("peft")
    train(tmp_path, "whole", RECIPES[name])
    for stop in stops:
        train(tmp_path, "parts", RECIPES[name], stop_after=stop)
        assert not (tmp_path / "parts" / "captioner").exists()
    record = train(tmp_path, "parts", RECIPES[name])
    assert Path(str(record["captioner"])).is_dir()
    whole, parts = (
        load_state(tmp_path / run / "self-critical" / "checkpoint.pt") for run in ("whole", "parts")
    )
    for kind in ("model", "average"):
        for tensor_name, tensor in whole[kind].items():
            assert torch.allclose(parts[kind][tensor_name], tensor, atol=1e-5), tensor_name
