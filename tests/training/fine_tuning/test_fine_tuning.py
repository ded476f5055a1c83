"""Fine-tuning from pairs to a folder that captions: by heart, resumed, reloaded."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_captioners import SAVE, original_blip_state, wide_blip_model
from torch import nn
from training_samples import encode
from transformers import VisionEncoderDecoderModel

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.seen_prompts import TRAINED_ON, SeenPrompts
from prompt_ensemble.data.pairs import Pairs, read_pairs
from prompt_ensemble.members.captioners.tunable_captioner import TunableCaptioner
from prompt_ensemble.members.registry import predictor_class
from prompt_ensemble.models.checkpoints import load_state
from prompt_ensemble.models.device import choose_placement
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run.ensemble import load_ensemble
from prompt_ensemble.training.fine_tuning.families import FAMILIES
from prompt_ensemble.training.fine_tuning.fine_tuning import fine_tune
from prompt_ensemble.training.fine_tuning.learning_parts import ADAPTER
from prompt_ensemble.training.fine_tuning.publishing import publish
from prompt_ensemble.training.fine_tuning.recipe import FineTuneRecipe
from prompt_ensemble.training.held_out import HeldOut
from prompt_ensemble.training.journal import Journal
from prompt_ensemble.training.judged_captions import HELD_OUT

QUICKEST = "encoder-decoder"
"""Others take more than a few seconds for two hundred steps."""
KINDS = pytest.mark.parametrize("kind", sorted(FAMILIES))
BY_HEART = FineTuneRecipe(
    steps=150, batch_size=16, rate=5e-3, tower_rate=5e-3, weight_decay=0.0, smoothing=0.0,
    average=0.9, judge_every=1000, longest=12, workers=0,
)  # fmt: skip
LOW_RANK = replace(
    BY_HEART, tuned="lora", lora_on_images=True, rate=5e-3, tower_rate=5e-3, steps=220
)
SHORT = replace(BY_HEART, steps=6, batch_size=8, rate=1e-3, tower_rate=1e-3, average=0.5)
NOTHING_HELD_OUT = HeldOut(share=0)
CHECKPOINT = "model_base_caption_capfilt_large.pth"


def sixteen_pairs(folder: Path, names: str = "abc") -> Pairs:
    """Pictures of three stripes, each of which a word stands for."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(16):
        stripes = [number // base % 3 for base in (1, 3, 9)]
        colours = np.eye(3, dtype=np.uint8)[np.repeat(stripes, 11)[:32]] * 255
        Image.fromarray(np.tile(colours, (32, 1, 1))).save(folder / f"{number:02}.png")
        words = [names[stripe] for stripe in stripes]
        lines.append({"image": f"{number:02}.png", "prompt": " ".join(words), "tier": "A"})
    listing = folder / "pairs.jsonl"
    listing.write_text("".join(json.dumps(line | {"source": "s"}) + "\n" for line in lines))
    return read_pairs(listing, ())


def fresh(folder: Path, kind: str) -> Path:
    """A captioner whose weights are as small as a training begins with."""
    wide = SAVE[kind](folder / "wide")
    found = predictor_class(kind)
    predictor = found(str(wide), found.Options(), WeightRoots.usual())
    assert isinstance(predictor, TunableCaptioner)
    published = predictor.read(choose_placement("cpu"))
    for module in published.model.modules():
        if isinstance(module, (nn.LayerNorm, nn.BatchNorm2d)):
            module.reset_parameters()
        else:
            for tensor in module.parameters(recurse=False):
                tensor.data.mul_(0.3)
    publish(predictor, published.model, 12, folder / kind)
    return folder / kind


def tuned(folder: Path, kind: str, recipe: FineTuneRecipe, out: str = "run", **more: Any) -> Path:
    """The run folder of a fine-tuning."""
    if not (folder / kind).exists():
        fresh(folder, kind)
    settings: dict[str, Any] = {"held_out": NOTHING_HELD_OUT, "cpu": True} | more
    fine_tune(
        str(folder / kind), sixteen_pairs(folder / "data"), recipe, folder / out, encode=encode,
        roots=WeightRoots.usual(), **settings,
    )  # fmt: skip
    return folder / out


def captions_of(captioner: Path, images: Path) -> dict[str, str]:
    with load_ensemble("embedded-lites") as ensemble:
        return ensemble.caption(images, str(captioner), num_beams=1, min_length=0)


def weights_of(captioner: Path, kind: str) -> dict[str, torch.Tensor]:
    found = predictor_class(kind)
    predictor = found(str(captioner), found.Options(), WeightRoots.usual())
    assert isinstance(predictor, TunableCaptioner)
    state: dict[str, torch.Tensor] = predictor.read(choose_placement("cpu")).model.state_dict()
    return state


def assert_alike(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> None:
    for name, tensor in one.items():
        torch.testing.assert_close(other[name], tensor, atol=1e-5, rtol=1e-4, msg=name)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A folder for each kind, whose run knows sixteen pairs by heart; trained once."""

    @cache
    def folder_of(kind: str) -> Path:
        folder = tmp_path_factory.mktemp(kind)
        tuned(folder, kind, BY_HEART)
        return folder

    return folder_of


def assert_known(captioner: Path, pairs: Pairs) -> None:
    said = captions_of(captioner, pairs.rows[0].image.parent)
    wanted = {pair.image.stem: pair.prompt for pair in pairs.rows}
    assert {name: text.strip(" .") for name, text in said.items()} == wanted


@KINDS
def test_sixteen_pairs_are_learnt_by_heart(known: Callable[[str], Path], kind: str) -> None:
    folder = known(kind)
    assert_known(folder / "run" / "captioner", sixteen_pairs(folder / "data"))


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=[] if kind == QUICKEST else [pytest.mark.slow])
        for kind in sorted(FAMILIES)
    ],
)
def test_low_rank_additions_learn_other_words(
    known: Callable[[str], Path], tmp_path: Path, kind: str
) -> None:
    """A captioner that calls the colours a, b and c calls them b, c and a."""
    pytest.importorskip("peft")
    pairs = sixteen_pairs(tmp_path / "data", names="bca")
    fine_tune(
        str(known(kind) / "run" / "captioner"), pairs, LOW_RANK, tmp_path / "run", encode=encode,
        roots=WeightRoots.usual(), held_out=NOTHING_HELD_OUT, cpu=True,
    )  # fmt: skip
    assert_known(tmp_path / "run" / "captioner", pairs)


@KINDS
def test_a_stopped_run_ends_in_the_same_weights(tmp_path: Path, kind: str) -> None:
    tuned(tmp_path, kind, SHORT, "whole")
    tuned(tmp_path, kind, SHORT, "parts", checkpoint_every=2, stop_after=3)
    assert not (tmp_path / "parts" / "captioner").exists()
    tuned(tmp_path, kind, SHORT, "parts", checkpoint_every=2)
    whole, parts = (weights_of(tmp_path / name / "captioner", kind) for name in ("whole", "parts"))
    assert_alike(whole, parts)


@KINDS
def test_what_is_published_is_what_was_learnt(tmp_path: Path, kind: str) -> None:
    """In the layout that it came in: the same files, the same names, the learnt numbers."""
    run = tuned(tmp_path, kind, replace(SHORT, average=0.0))
    origin = tmp_path / kind
    published = {file.name for file in (run / "captioner").iterdir()}
    assert {file.name for file in origin.iterdir()} <= published
    learnt = load_state(run / "checkpoint.pt")["model"]
    assert_alike(
        {name.removeprefix("network."): tensor for name, tensor in learnt.items()},
        weights_of(run / "captioner", kind),
    )


@KINDS
def test_the_published_folder_says_what_training_heard(tmp_path: Path, kind: str) -> None:
    run = tuned(tmp_path, kind, replace(SHORT, steps=30), held_out=HeldOut(share=0.3))
    listed = [json.loads(line) for line in (run / HELD_OUT).read_text().splitlines()]
    with load_ensemble("embedded-lites") as ensemble:
        said = ensemble.caption([line["image"] for line in listed], str(run / "captioner"))
    assert said == {Path(line["image"]).stem: line["caption"] for line in listed}


def test_the_authors_own_file_is_written_as_they_write_it(tmp_path: Path) -> None:
    folder = tmp_path / "authors"
    folder.mkdir()
    torch.save({"model": original_blip_state(wide_blip_model())}, folder / CHECKPOINT)
    run = tuned(tmp_path, "authors", replace(SHORT, steps=2))
    before, after = (load_state(path / CHECKPOINT)["model"] for path in (folder, run / "captioner"))
    assert before.keys() - after.keys() <= {"text_decoder.bert.embeddings.position_ids"}
    name = "visual_encoder.blocks.0.attn.qkv.weight"
    assert before[name].shape == after[name].shape
    assert not torch.equal(before[name], after[name])


def last_loss(run: Path) -> float:
    return [note["loss"] for note in Journal(run).notes() if "loss" in note][-1]


def test_parts_of_a_batch_add_up_to_it(tmp_path: Path) -> None:
    """CoCa drops nothing out at random."""
    whole = tuned(tmp_path, "coca", SHORT, "whole")
    parts = tuned(tmp_path, "coca", replace(SHORT, accumulation=3), "parts")
    assert last_loss(parts) == pytest.approx(last_loss(whole), rel=1e-3)


@pytest.mark.parametrize("kind", ["blip", "coca"])
def test_recomputed_activations_change_nothing(tmp_path: Path, kind: str) -> None:
    kept = tuned(tmp_path, kind, SHORT, "kept")
    again = tuned(tmp_path, kind, replace(SHORT, gradient_checkpointing=True), "again")
    assert last_loss(again) == pytest.approx(last_loss(kept), rel=1e-3)


@KINDS
def test_the_image_tower_stays_where_only_the_text_side_learns(tmp_path: Path, kind: str) -> None:
    run = tuned(tmp_path, kind, replace(SHORT, tuned="decoder"))
    before, after = weights_of(tmp_path / kind, kind), weights_of(run / "captioner", kind)
    moved = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert moved
    assert not any(name.startswith(FAMILIES[kind].tower + ".") for name in moved)


def test_the_image_tower_may_wait(tmp_path: Path) -> None:
    run = tuned(tmp_path, "git", replace(SHORT, tower_waits=SHORT.steps))
    before, after = weights_of(tmp_path / "git", "git"), weights_of(run / "captioner", "git")
    moved = {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert moved
    assert not any(name.startswith("git.image_encoder.") for name in moved)


def test_additions_are_kept_apart_when_asked_for(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    recipe = replace(SHORT, tuned="lora", lora_rank=2, keep_adapter=True)
    run = tuned(tmp_path, "encoder-decoder", recipe)
    model = VisionEncoderDecoderModel.from_pretrained(tmp_path / "encoder-decoder")
    merged = peft.PeftModel.from_pretrained(model, run / ADAPTER).merge_and_unload().state_dict()
    assert_alike(merged, weights_of(run / "captioner", "encoder-decoder"))


def test_the_best_step_is_kept_and_training_ends_when_nothing_gets_better(tmp_path: Path) -> None:
    """A rate so high that everything after the start is worse."""
    recipe = replace(SHORT, steps=40, judge_every=2, patience=3, rate=0.5, tower_rate=0.5)
    run = tuned(tmp_path, "encoder-decoder", recipe, held_out=HeldOut(share=0.3))
    notes = Journal(run).notes()
    scores = [note["held_out"] for note in notes if "held_out" in note]
    best = scores.index(max(scores))
    assert len(scores) - 1 - best == 3
    assert notes[-1]["step"] < 40
    record = json.loads((run / "run.json").read_text())
    assert record["score"] == pytest.approx(max(scores), abs=1e-5)


def test_the_record_compares_with_what_was_said_before(tmp_path: Path) -> None:
    run = tuned(tmp_path, "encoder-decoder", SHORT, held_out=HeldOut(share=0.3))
    record = json.loads((run / "run.json").read_text())
    listed = [json.loads(line) for line in (run / HELD_OUT).read_text().splitlines()]
    assert len(listed) == record["judged_on"]
    before = np.mean([line["before_cosine"] for line in listed])
    after = np.mean([line["caption_cosine"] for line in listed])
    assert record["before"]["mean"] == pytest.approx(before, abs=1e-3)
    assert record["gain"]["mean"] == pytest.approx(after - before, abs=1e-3)
    assert record["by_source"]["s"]["prompts"] == record["prompts"]
    assert len(read_pairs(run / HELD_OUT, ())) == len(listed)


def test_what_was_trained_on_is_noted(tmp_path: Path) -> None:
    run = tuned(tmp_path, "encoder-decoder", replace(SHORT, steps=1))
    seen = SeenPrompts.load(run / "captioner" / TRAINED_ON)
    assert seen.contains(["a a a", "z"]).tolist() == [True, False]


@pytest.mark.parametrize("held_out", [NOTHING_HELD_OUT, HeldOut(share=0.5)])
def test_broken_images_never_lose_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, held_out: HeldOut
) -> None:
    fresh(tmp_path, "encoder-decoder")
    sixteen_pairs(tmp_path / "data")
    for number in range(0, 16, 2):
        (tmp_path / "data" / f"{number:02}.png").write_bytes(b"no image")
    pairs = read_pairs(tmp_path / "data" / "pairs.jsonl", ())
    fine_tune(
        str(tmp_path / "encoder-decoder"), pairs, replace(SHORT, steps=2), tmp_path / "run",
        encode=encode, roots=WeightRoots.usual(), held_out=held_out, cpu=True,
    )  # fmt: skip
    assert "left out: " in caplog.text
    assert (tmp_path / "run" / "captioner").exists()


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (replace(SHORT, longest=2), "leaves no room"),
        (replace(SHORT, accumulation=9), "cannot be computed in 9 parts"),
    ],
)
def test_recipes_that_cannot_be_are_one_line(
    tmp_path: Path, recipe: FineTuneRecipe, message: str
) -> None:
    with pytest.raises(BadConfig, match=message):
        tuned(tmp_path, "encoder-decoder", recipe)


def test_other_captioners_say_what_can_be_tuned(tmp_path: Path) -> None:
    SAVE["ofa"](tmp_path / "ofa")
    with pytest.raises(BadConfig, match="cannot be fine-tuned here"):
        tuned(tmp_path, "ofa", SHORT)
