"""A whole run: the same bytes at once, in parts, after a stop or by several workers."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest
from PIL import Image
from tiny_diffusion import save_flagging_diffusion

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.data.pairs import read_pairs
from prompt_ensemble.generating.cost import measure_cost
from prompt_ensemble.generating.drawings import Part
from prompt_ensemble.generating.generate import GenerationJob, PromptList, generate
from prompt_ensemble.generating.image_folder import ImageFolder, Labels
from prompt_ensemble.generating.image_model import ImageModel
from prompt_ensemble.generating.recipe import GenerationRecipe
from prompt_ensemble.models.device import choose_placements

PROMPTS = ["a cat", "a castle in fog", "ünïcode — 日本", "rain, 8k", 'a "dog"', "a cat", "x"]
RECIPE = GenerationRecipe(steps=2, batch_size=2, negative_prompt="blurry")
CPU = choose_placements("cpu", "fp32")


@pytest.fixture(scope="module")
def prompt_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("prompts") / "prompts.txt"
    file.write_text("\n".join(PROMPTS), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def job_for(diffusion_folder, prompt_file):
    """A job that fills a folder."""

    def job(out, recipe=RECIPE):
        prompts = PromptList((prompt_file,))
        return GenerationJob(prompts, ImageModel(diffusion_folder), recipe, ImageFolder(out))

    return job


@pytest.fixture(scope="module")
def whole(job_for, tmp_path_factory):
    """The folder of a run that nothing disturbed."""
    out = tmp_path_factory.mktemp("whole")
    assert generate(job_for(out), CPU).made == len(PROMPTS)
    return out


def contents(folder):
    files = (file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def stopping_after(images):
    """Progress that stops the run, as Ctrl-C does."""

    @contextmanager
    def progress(stage, total, unit="image"):
        done = 0

        def advance(steps):
            nonlocal done
            done += steps
            if done >= images:
                raise KeyboardInterrupt

        yield advance

    return progress


def test_a_stopped_run_ends_in_the_same_bytes(job_for, whole, tmp_path):
    job = job_for(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        generate(job, CPU, progress=stopping_after(2))
    assert not (tmp_path / "pairs.jsonl").exists()
    (tmp_path / "images" / "000000").glob("*.png").__next__().unlink()  # half a batch is missing
    rest = generate(job, CPU)
    assert 0 < rest.made < len(PROMPTS)
    assert rest.images == len(PROMPTS)
    assert contents(tmp_path) == contents(whole)


def test_parts_end_in_the_same_bytes(job_for, whole, tmp_path):
    for number in (2, 0, 1):
        generate(job_for(tmp_path), CPU, Part(number, 3))
    assert len(read_pairs(tmp_path / "pairs-2-of-3.jsonl", ())) == 2
    assert generate(job_for(tmp_path), CPU).made == 0
    for listing in tmp_path.glob("pairs-*"):
        listing.unlink()
    assert contents(tmp_path) == contents(whole)


def test_training_reads_the_pairs(whole):
    pairs = read_pairs(whole / "pairs.jsonl", ())
    assert pairs.prompts == PROMPTS
    assert set(pairs.sources) == {"generated"}
    assert len({row.image for row in pairs.rows}) == len(PROMPTS)


def test_metadata_and_listing_say_the_same(whole):
    rows = [json.loads(line) for line in (whole / "pairs.jsonl").read_text().splitlines()]
    for row in rows:
        with Image.open(whole / row["image"]) as picture:
            prompt, negative, settings = picture.text["parameters"].split("\n")
        assert prompt == row["prompt"]
        assert negative == "Negative prompt: blurry"
        assert f"Seed: {row['seed']}, Size: 32x32" in settings
        assert "Model: tiny-diffusion" in settings


def test_another_recipe_never_mixes_in(job_for, whole):
    with pytest.raises(BadConfig, match="made with steps 2, not 3"):
        generate(job_for(whole, GenerationRecipe(steps=3, batch_size=2)), CPU)


def test_flagged_images_are_listed_and_not_written(prompt_file, whole, tmp_path):
    with Image.open(read_pairs(whole / "pairs.jsonl", ()).rows[3].image) as picture:
        model = ImageModel(save_flagging_diffusion(tmp_path / "model", picture.convert("RGB")))
    out = ImageFolder(tmp_path / "out")
    job = GenerationJob(PromptList((prompt_file,)), model, RECIPE, out)
    done = generate(job, CPU, labels=Labels("mine", "B"))
    assert (done.images, done.flagged) == (len(PROMPTS) - 1, 1)
    (flagged,) = (tmp_path / "out" / "flagged.jsonl").read_text().splitlines()
    assert json.loads(flagged)["prompt"] == PROMPTS[3]
    assert len(list((tmp_path / "out" / "images").rglob("*.png"))) == done.images
    assert set(read_pairs(tmp_path / "out" / "pairs.jsonl", ()).tiers) == {"B"}
    assert generate(job, CPU).made == 0


def test_a_cost_for_many_images(job_for, tmp_path):
    job = job_for(tmp_path)
    cost = measure_cost(job.prompts, job.model, job.recipe, CPU[0])
    one, many = cost.seconds(1000), cost.seconds(1000, devices=4)
    assert 0 < cost.load_seconds < many < one
    assert not list(tmp_path.iterdir())


def command(folder, prompts, out, *more):
    settings = ["--set", "steps=2", "--set", "batch_size=2", "--set", "negative_prompt=blurry"]
    arguments = [str(prompts), "--model", str(folder), "--out", str(out), *settings, "--quiet"]
    return [sys.executable, "-m", "prompt_ensemble", "generate", *arguments, *more]


def test_a_killed_run_ends_in_the_same_bytes(
    diffusion_folder, prompt_file, whole, job_for, tmp_path
):
    process = subprocess.Popen(command(diffusion_folder, prompt_file, tmp_path, "--device", "cpu"))
    ends = time.monotonic() + 120
    while not list(tmp_path.rglob("*.png")) and process.poll() is None:
        assert time.monotonic() < ends
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    generate(job_for(tmp_path), CPU)
    for left in tmp_path.rglob(".*.tmp"):  # what was being written when the end came
        left.unlink()
    assert contents(tmp_path) == contents(whole)


@pytest.mark.slow
def test_several_workers_end_in_the_same_bytes(diffusion_folder, prompt_file, whole, tmp_path):
    asked = command(diffusion_folder, prompt_file, tmp_path, "--device", "cpu,cpu")
    subprocess.run(asked, check=True)
    assert contents(tmp_path) == contents(whole)
