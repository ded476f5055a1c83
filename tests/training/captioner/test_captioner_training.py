"""Training of a captioner: it learns, goes on where it was stopped, and is judged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_tower import NAME, save_tiny_tower
from tiny_writer import save_tiny_writer
from training_samples import encode, write_pairs

from prompt_ensemble.cli.train import summary
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.seen_prompts import TRAINED_ON, SeenPrompts
from prompt_ensemble.data.pairs import join_pairs, read_pairs
from prompt_ensemble.models.checkpoints import load_state
from prompt_ensemble.models.text_decoder.captioner import load_captioner
from prompt_ensemble.models.text_decoder.word_pieces import OwnPieces
from prompt_ensemble.models.text_decoder.writer import load_writer
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.training.captioner.captioner_training import train_captioner
from prompt_ensemble.training.captioner.recipe import CaptionerRecipe
from prompt_ensemble.training.held_out import HeldOut
from prompt_ensemble.training.journal import Journal
from prompt_ensemble.training.row_chances import row_chances

TINY = CaptionerRecipe(
    library="timm", tower=NAME, backbone="tower", vocabulary=90, width=32, layers=1, heads=2,
    rows=2, longest=24, dropout=0.0, steps=6, batch_size=8, rate=1e-2, average=0.5,
)  # fmt: skip
NOTHING_HELD_OUT = HeldOut(share=0)
SHAPES = pytest.mark.parametrize(
    "recipe",
    [TINY, replace(TINY, cells=2), replace(TINY, decoder="recurrent")],
    ids=["pooled", "map", "recurrent"],
)


def train(
    folder: Path, out: str, recipe: CaptionerRecipe = TINY, roots: WeightRoots | None = None,
    **more: object,
) -> dict[str, object]:  # fmt: skip
    pairs = write_pairs(folder / "data")
    roots = roots or save_tiny_tower(folder / "weights")
    options = {"held_out": NOTHING_HELD_OUT, "checkpoint_every": 2, "cpu": True} | more
    return train_captioner(
        pairs, recipe, folder / out, encode=encode, roots=roots, cache=folder / "cache", **options
    )  # type: ignore[arg-type]


@SHAPES
def test_the_loss_falls(tmp_path: Path, recipe: CaptionerRecipe) -> None:
    train(tmp_path, "run", replace(recipe, steps=100), checkpoint_every=100)
    first, last = [note["loss"] for note in Journal(tmp_path / "run").notes() if "loss" in note]
    assert last < 0.8 * first


@SHAPES
def test_a_stopped_run_ends_in_the_same_weights(tmp_path: Path, recipe: CaptionerRecipe) -> None:
    train(tmp_path, "whole", recipe)
    train(tmp_path, "parts", recipe, stop_after=3)
    assert not (tmp_path / "parts" / "captioner").exists()
    train(tmp_path, "parts", recipe)
    whole, parts = (load_state(tmp_path / name / "checkpoint.pt") for name in ("whole", "parts"))
    for kind in ("model", "average"):
        for name, tensor in whole[kind].items():
            assert torch.allclose(parts[kind][name], tensor, atol=1e-5), name


def test_another_recipe_does_not_continue_a_run(tmp_path: Path) -> None:
    train(tmp_path, "run", stop_after=4)
    with pytest.raises(BadConfig, match="another recipe"):
        train(tmp_path, "run", replace(TINY, rate=1.0))


def test_held_out_pairs_are_scored_and_the_record_says_so(tmp_path: Path) -> None:
    record = train(tmp_path, "run", held_out=HeldOut(sources=("left",)))
    noted = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["score"] == noted["score"]
    assert -1 <= float(record["score"]) <= 1  # type: ignore[arg-type]
    assert (record["trained_on"], record["judged_on"]) == (4, 4)
    assert "held-out mean cosine" in summary(record)


def test_what_was_trained_on_is_noted_and_what_was_judged_is_not(tmp_path: Path) -> None:
    train(tmp_path, "run", held_out=HeldOut(sources=("left",)))
    seen = SeenPrompts.load(tmp_path / "run" / "captioner" / TRAINED_ON)
    assert seen.contains(["a blue wall", "a red wall"]).tolist() == [True, False]


def test_a_run_without_held_out_pairs_has_a_summary(tmp_path: Path) -> None:
    assert "nothing was held out" in summary(train(tmp_path, "run"))


def test_features_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = save_tiny_tower(tmp_path / "weights")
    train(tmp_path, "first", roots=roots)
    monkeypatch.delattr("prompt_ensemble.training.captioner.captioner_training.tower_features")
    train(tmp_path, "second", replace(TINY, rate=1e-3), roots=roots)


def test_training_starts_from_a_writers_decoder(tmp_path: Path) -> None:
    roots = save_tiny_tower(tmp_path / "weights")
    save_tiny_writer(tmp_path / "weights" / "writer")
    recipe = replace(TINY, start_from="writer", rate=1e-9, weight_decay=0.0)
    train(tmp_path, "run", recipe, roots=roots)
    captioner, words = load_captioner(tmp_path / "run" / "captioner")
    writer, pieces, _ = load_writer(tmp_path / "weights" / "writer")
    assert isinstance(words, OwnPieces)
    assert words.tokenizer.to_str() == pieces.to_str()
    for name, tensor in writer.decoder.state_dict().items():
        assert torch.allclose(captioner.decoder.state_dict()[name], tensor, atol=1e-2), name


def test_a_listing_with_lists_of_captions_gives_a_pair_each(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "data")
    images = sorted({pair.image.name for pair in pairs.rows})
    lines = [json.dumps({"image": name, "captions": ["one wall", "a wall"]}) for name in images]
    (tmp_path / "data" / "captions.jsonl").write_text("\n".join(lines))
    described = read_pairs(tmp_path / "data" / "captions.jsonl", ())
    both = join_pairs([pairs, described])
    assert len(both) == 3 * len(images)
    record = train_captioner(
        both, replace(TINY, images_a=99), tmp_path / "run", encode=encode,
        roots=save_tiny_tower(tmp_path / "weights"), held_out=NOTHING_HELD_OUT, cpu=True,
    )  # fmt: skip
    assert record["trained_on"] == len(both)


def test_images_of_held_out_captions_are_not_trained_on(tmp_path: Path) -> None:
    """Two captions of one image are far apart as texts; the image is still known."""
    write_pairs(tmp_path / "data")
    names = ["red0.png", "green0.png", "blue0.png", "grey0.png"]
    texts = [[f"the wall number {n}", f"something of colour {n}"] for n in range(4)]
    lines = [
        json.dumps({"image": name, "captions": captions})
        for name, captions in zip(names, texts, strict=True)
    ]
    (tmp_path / "data" / "captions.jsonl").write_text("\n".join(lines))
    record = train_captioner(
        read_pairs(tmp_path / "data" / "captions.jsonl", ()), TINY, tmp_path / "run", encode=encode,
        roots=save_tiny_tower(tmp_path / "weights"), held_out=HeldOut(share=0.2), cpu=True,
    )  # fmt: skip
    assert (record["trained_on"], record["judged_on"]) == (6, 2)


def test_prompts_without_plain_words_are_one_clear_error(tmp_path: Path) -> None:
    write_pairs(tmp_path / "data")
    (tmp_path / "data" / "odd.jsonl").write_text('{"image": "red0.png", "prompt": "猫"}\n')
    with pytest.raises(BadConfig, match="plain words"):
        train_captioner(
            read_pairs(tmp_path / "data" / "odd.jsonl", ()), TINY, tmp_path / "run", encode=encode,
            roots=save_tiny_tower(tmp_path / "weights"), held_out=NOTHING_HELD_OUT, cpu=True,
        )  # fmt: skip


def test_a_text_is_drawn_as_often_as_its_tier_says_however_many_images_it_has() -> None:
    chances = row_chances(["a", "a", "b", "c"], ["A", "A", "A", "B"], {"A": 1.0, "B": 0.5})
    assert np.allclose(chances, [0.5, 0.5, 1.0, 0.5])
