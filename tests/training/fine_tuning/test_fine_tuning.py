"""Fine-tuning from pairs to a folder that captions: by heart, resumed, reloaded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_captioners import SAVE
from torch import nn
from training_samples import encode

from prompt_ensemble.data.pairs import Pairs, read_pairs
from prompt_ensemble.members.captioners.tunable_captioner import TunableCaptioner
from prompt_ensemble.members.registry import predictor_class
from prompt_ensemble.models.device import choose_placement
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run.ensemble import load_ensemble
from prompt_ensemble.training.fine_tuning.families import FAMILIES
from prompt_ensemble.training.fine_tuning.fine_tuning import fine_tune
from prompt_ensemble.training.fine_tuning.publishing import publish
from prompt_ensemble.training.fine_tuning.recipe import FineTuneRecipe
from prompt_ensemble.training.held_out import HeldOut

KINDS = pytest.mark.parametrize("kind", sorted(FAMILIES))
BY_HEART = FineTuneRecipe(
    steps=150, batch_size=16, rate=5e-3, tower_rate=5e-3, weight_decay=0.0, smoothing=0.0,
    average=0.9, judge_every=1000, longest=12, workers=0,
)  # fmt: skip


def sixteen_pairs(folder: Path) -> Pairs:
    """Pictures of three stripes, each of which a word stands for."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(16):
        stripes = [number // base % 3 for base in (1, 3, 9)]
        colours = np.eye(3, dtype=np.uint8)[np.repeat(stripes, 11)[:32]] * 255
        Image.fromarray(np.tile(colours, (32, 1, 1))).save(folder / f"{number:02}.png")
        words = ["abc"[stripe] for stripe in stripes]
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


def tuned(folder: Path, kind: str, recipe: FineTuneRecipe, out: str = "run", **more: int) -> Path:
    if not (folder / kind).exists():
        fresh(folder, kind)
    record = fine_tune(
        str(folder / kind), sixteen_pairs(folder / "data"), recipe, folder / out, encode=encode,
        roots=WeightRoots.usual(), held_out=HeldOut(share=0), cpu=True, **more,
    )  # fmt: skip
    return Path(str(record.get("captioner", "")))


@KINDS
def test_sixteen_pairs_are_learnt_by_heart(tmp_path: Path, kind: str) -> None:
    captioner = tuned(tmp_path, kind, BY_HEART)
    pairs = sixteen_pairs(tmp_path / "data")
    with load_ensemble("embedded-lites") as ensemble:
        said = ensemble.caption(tmp_path / "data", str(captioner), num_beams=1, min_length=0)
    wanted = {pair.image.stem: pair.prompt for pair in pairs.rows}
    assert {name: text.strip(" .") for name, text in said.items()} == wanted
