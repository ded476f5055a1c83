"""What gather writes is what ``bank build``, ``evaluate`` and ``train`` read."""

import numpy as np
import pytest
from generated_images import parameters, png
from training_samples import TINY

from prompt_ensemble.data.gathering.gather import gather
from prompt_ensemble.data.gathering.options import GatherOptions
from prompt_ensemble.data.pairs import read_pairs
from prompt_ensemble.data.prompt_files import read_prompts
from prompt_ensemble.data.truth import load_prompts, load_sources
from prompt_ensemble.images.find import find_images
from prompt_ensemble.training.regressor.inputs import Pictures


@pytest.fixture(params=["files", "webdataset"])
def out(request, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(4):
        content = png({"parameters": parameters(f"fox number {number}, snow")}, number)
        (folder / f"{number}.png").write_bytes(content)
    gather([str(folder)], tmp_path / "out", GatherOptions(request.param))
    return tmp_path / "out"


def test_trainers_read_pictures_and_prompts(out):
    pairs = read_pairs(out / "pairs.jsonl", ())
    pixels = Pictures([pair.image for pair in pairs.rows], TINY).plain(np.arange(4))
    assert pixels.shape == (4, 3, 32, 32)
    assert set(pairs.sources) == {"images"} and set(pairs.tiers) == {"A"}


def test_banks_read_the_prompts(out):
    expected = [f"fox number {number}, snow" for number in range(4)]
    assert read_prompts([out / "pairs.jsonl"]) == expected
    assert read_prompts([out / "prompts.csv"]) == expected


def test_truth_and_images_have_the_same_ids(out):
    prompts = load_prompts(out / "prompts.csv")
    shard = next(path for path in (out / "images", out / "shards/00000.tar") if path.exists())
    images = find_images([shard])
    assert (
        [image.image_id for image in images]
        == list(prompts)
        == list(load_sources(out / "prompts.csv"))
    )
    assert images[3].load().size == (96, 96)
