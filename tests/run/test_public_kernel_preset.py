"""The preset ``public-kernel`` gives the numbers of the kernel it is named after."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_clip import theirs, tiny_model
from tiny_kaggle_weights import (
    LISTS,
    VIT,
    tiny_public_kernel,
    wide_blip,
    write_tiny_public_kernel_weights,
)

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.core.submission import read_submission
from prompt_ensemble.models.sentence_encoder import DEFAULT_ENCODER
from prompt_ensemble.models.transformers_folders import load_tokenizer
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run.config import load_preset
from prompt_ensemble.run.ensemble import predict

BASELINE = Path(__file__).parents[2] / "benchmarks" / "public_kernel"


@pytest.fixture(scope="module")
def kernel():
    """benchmarks/public_kernel, imported without putting the benchmarks' folder on the path."""
    spec = importlib.util.spec_from_file_location(
        "public_kernel", BASELINE / "__init__.py", submodule_search_locations=[str(BASELINE)]
    )
    assert spec and spec.loader
    sys.modules["public_kernel"] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    return importlib.import_module("public_kernel.kernel")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Square pictures, as the competition's are."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(3)
    for number in range(5):
        small = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(small).resize((96, 96), Image.Resampling.BICUBIC).save(
            folder / f"p{number}.png"
        )
    return folder


@pytest.fixture(scope="module")
def both(kernel, photos, tmp_path_factory):
    """The baseline's branches and our prediction, from the same files."""
    folder = tmp_path_factory.mktemp("weights")
    write_tiny_public_kernel_weights(folder)
    config = tiny_public_kernel(folder)
    for name in ("artists", "negative"):
        (folder / f"{name}.txt").write_text("nobody")
    encoder = WeightRoots.usual().find(DEFAULT_ENCODER).path
    models = kernel.Models(
        ofa=folder / "OFA-large-caption",
        load_blip=lambda: (wide_blip(), load_tokenizer(encoder)),
        load_interrogator=lambda: theirs(tiny_model(), folder),
        vit=folder / "vit_base_patch16_224.pth",
        architecture=VIT,
        encoder=encoder,
    )
    files = sorted(photos.iterdir())
    branches = kernel.run_kernel(models, files, "cpu", folder / "theirs.csv")
    ours = predict(photos, folder / "out", config=config, weights=[folder], device="cpu")
    return branches, ours, read_submission(folder / "theirs.csv")


def test_weights_are_the_kernels():
    weights = load_preset("public-kernel").blend_weights
    assert weights == {"ofa": 0.04, "interrogator": 0.2112, "vit": 0.7488}
    assert sum(weights.values()) == pytest.approx(1)


def test_captions_are_the_same(both):
    branches, ours, _ = both
    suffix = ", fine details, masterpiece"
    captions = [line[0].text + suffix for line in ours.members["ofa"].outputs.lines]
    assert captions == branches.captions["ofa"]
    assert [row[0].text for row in ours.members["blip"].outputs.lines] == branches.captions["blip"]


def test_prompts_of_phrases_are_the_same(both):
    branches, ours, _ = both
    prompts = [row[0].text for row in ours.members["interrogator"].outputs.lines]
    assert prompts == branches.captions["interrogator"]
    assert all(
        any(medium in prompt for medium in LISTS["mediums"].split("\n")) for prompt in prompts
    )


@pytest.mark.parametrize("branch", ["ofa", "interrogator", "vit"])
def test_rows_of_each_branch_are_the_same(both, branch):
    branches, ours, _ = both
    rows = ours.members[branch].embeddings.vectors
    assert cosines(rows, branches.rows[branch]).min() >= 0.9999


def test_the_blend_is_the_same(both):
    branches, ours, written = both
    assert cosines(ours.embeddings.vectors, branches.blended).min() >= 0.9999
    assert cosines(ours.embeddings.take(written.image_ids).vectors, written.vectors).min() >= 0.9999


def cosines(one, other) -> np.ndarray:
    return (unit_rows(np.asarray(one)) * unit_rows(np.asarray(other))).sum(axis=1)


def test_pictures_differ_enough_for_this_to_mean_something(both):
    branches, _, _ = both
    rows = torch.from_numpy(unit_rows(branches.blended))
    assert (rows @ rows.T).fill_diagonal_(0).max() < 0.9999
