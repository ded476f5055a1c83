"""Kernels from start to end on a simulated Kaggle machine."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import paint_photos
from simulated import COMPETITION, build_wheel, mount_competition, python_with, run_kernel
from tiny_kaggle_weights import as_toml, tiny_public_kernel, write_tiny_public_kernel_weights

from prompt_ensemble.core.submission import check_submission
from prompt_ensemble.kaggle.packing import pack_dataset
from prompt_ensemble.kaggle.rendering import render_kernels

KERNELS = Path(__file__).parents[2] / "kernels"
IMAGE_PACKAGES = [Path(path) for path in sys.path if path.endswith("site-packages")]
REGRESSOR_ALONE = """
prior = "embedded-prior"

[[members]]
name = "lite0"
model = "regressor"
weights = "embedded-lite0"
"""


REGRESSOR_AGAIN = """
[[members]]
name = "again"
model = "regressor"
weights = "embedded-lite0"
options.views = ["flip"]
"""
PROMPTS = (
    "a cat on a roof", "an oil painting of a castle", "two astronauts in a desert", "neon city",
    "a bowl of fruit", "portrait of a queen, baroque", "a robot reading", "snowy mountain lake",
    "a map of an island", "pixel art dragon", "a violin made of glass", "foggy harbour at dawn",
)  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.mark.parametrize(
    ("competition", "notebook"), [(".", "."), ("competitions", "notebooks/somebody")],
    ids=["old layout", "new layout"],
)  # fmt: skip
def test_the_submission_kernel_ends_in_a_valid_file(tmp_path, wheel, competition, notebook):
    kaggle = tmp_path / "kaggle"
    data = mount_competition(kaggle, competition, images=5)
    mount_wheel(kaggle, notebook, wheel)
    (tmp_path / "quick.toml").write_text(REGRESSOR_ALONE)
    python = python_with(IMAGE_PACKAGES, tmp_path / "python")
    done = submit(tmp_path, str(tmp_path / "quick.toml"), python)
    assert done.returncode == 0, done.stderr[-3000:]
    assert faults(kaggle, data) == []
    assert installed_from(python).startswith(str(tmp_path / "python"))


def test_the_public_kernels_preset_runs_there_on_models_in_their_true_layouts(tmp_path, wheel):
    kaggle = tmp_path / "kaggle"
    data = mount_competition(kaggle, "competitions", images=5)
    mount_wheel(kaggle, "notebooks/somebody", wheel)
    models = kaggle / "input" / "datasets" / "somebody" / "models"
    models.mkdir(parents=True)
    write_tiny_public_kernel_weights(models)
    (tmp_path / "tiny.toml").write_text(as_toml(tiny_public_kernel(models)))
    python = python_with(IMAGE_PACKAGES, tmp_path / "python")
    done = submit(tmp_path, str(tmp_path / "tiny.toml"), python)
    assert done.returncode == 0, done.stderr[-3000:]
    assert faults(kaggle, data) == []
    record = json.loads((kaggle / "working" / "run" / "run.json").read_text())
    assert record["left_out"] == {}
    assert set(record["members"]) == {"ofa", "blip", "interrogator", "vit"}


def test_the_datasets_wheel_goes_before_an_older_copy_of_it(tmp_path, wheel):
    """The copy beside the other wheels is broken, so installing it would fail."""
    kaggle = tmp_path / "kaggle"
    data = mount_competition(kaggle, "competitions", images=2)
    mount_wheel(kaggle, "notebooks/somebody", wheel)
    mount_wheel(kaggle, "datasets/somebody", wheel)
    copies = kaggle / "input" / "notebooks" / "somebody" / "prompt-ensemble-wheels"
    (copies / wheel.name).write_bytes(b"old")
    shutil.copy(pure_wheel(tmp_path), copies)
    (tmp_path / "quick.toml").write_text(REGRESSOR_ALONE)
    python = python_with(IMAGE_PACKAGES, tmp_path / "python")
    done = submit(tmp_path, str(tmp_path / "quick.toml"), python)
    assert done.returncode == 0, done.stderr[-3000:]
    assert faults(kaggle, data) == []


def pure_wheel(folder: Path) -> Path:
    """The smallest wheel there can be."""
    path, info = folder / "tiny-1-py3-none-any.whl", "tiny-1.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny.py", "")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n")
        metadata = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{info}/WHEEL", metadata)
        archive.writestr(f"{info}/RECORD", "")
    return path


def mount_wheel(kaggle: Path, mount: str, wheel: Path) -> None:
    """The output of the wheels kernel."""
    wheels = kaggle / "input" / mount / "prompt-ensemble-wheels"
    wheels.mkdir(parents=True)
    shutil.copy(wheel, wheels)


def submit(folder: Path, preset: str, python: Path) -> subprocess.CompletedProcess[str]:
    """Render the kernels and run the submission on the machine in ``folder``."""
    rendered = render_kernels(KERNELS, folder / "k", "somebody", preset)
    script = next(kernel / "submission.py" for kernel in rendered if kernel.name == "submission")
    return run_kernel(script, python, folder / "kaggle", folder / "cache")


def faults(kaggle: Path, data: Path) -> list:
    """What is wrong with the submission."""
    ids = [path.stem for path in sorted((data / "images").iterdir())]
    return check_submission(kaggle / "working" / "submission.csv", ids)


def installed_from(python: Path) -> str:
    """Where the machine's own Python imports us from."""
    code = "import prompt_ensemble; print(prompt_ensemble.__file__)"
    return subprocess.run(
        [python, "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_weights_are_tuned_on_what_was_predicted_of_a_validation_set(tmp_path, wheel):
    kaggle = tmp_path / "kaggle"
    mount_wheel(kaggle, "notebooks/somebody", wheel)
    validation = kaggle / "input" / "datasets" / "somebody" / "validation"
    validation.mkdir(parents=True)
    paint_photos(validation / "images", len(PROMPTS))
    rows = [f'photo{number:02},"{prompt}"' for number, prompt in enumerate(PROMPTS)]
    (validation / "prompts.csv").write_text("\n".join(["imgId,prompt", *rows]) + "\n")
    (tmp_path / "two.toml").write_text(REGRESSOR_ALONE + REGRESSOR_AGAIN)
    python = python_with(IMAGE_PACKAGES, tmp_path / "python")
    kernels = render_kernels(KERNELS, tmp_path / "k", "somebody", str(tmp_path / "two.toml"))
    scripts = {folder.name: folder / f"{folder.name}.py" for folder in kernels}
    done = run_kernel(scripts["predict_validation"], python, kaggle, tmp_path / "cache")
    assert done.returncode == 0, done.stderr[-3000:]
    shutil.move(kaggle / "working", kaggle / "input" / "notebooks" / "somebody" / "predicted")
    done = run_kernel(scripts["tune_weights"], python, kaggle, tmp_path / "cache")
    assert done.returncode == 0, done.stderr[-3000:]
    blend = json.loads((kaggle / "working" / "blend.json").read_text())
    assert set(blend["weights"]) == {"lite0", "again"}


@pytest.mark.slow
def test_a_regressor_is_trained_from_mounted_pairs(tmp_path, wheel):
    kaggle = tmp_path / "kaggle"
    mount_wheel(kaggle, "notebooks/somebody", wheel)
    pairs = kaggle / "input" / "datasets" / "somebody" / "pairs"
    pairs.parent.mkdir(parents=True)
    paint_photos(pairs, len(PROMPTS))
    rows = [{"image": f"photo{n:02}.png", "prompt": prompt} for n, prompt in enumerate(PROMPTS)]
    (pairs / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    kernels = render_kernels(KERNELS, tmp_path / "k", "somebody")
    script = next(f / "train_regressor.py" for f in kernels if f.name == "train_regressor")
    quick = 'RECIPE = ["steps=2", "head_steps=1", "batch_size=4", "frozen_stages=0", "size=64"]'
    code = script.read_text()
    recipe = next(line for line in code.splitlines() if line.startswith("RECIPE"))
    script.write_text(code.replace(recipe, quick))
    done = run_kernel(
        script, python_with(IMAGE_PACKAGES, tmp_path / "python"), kaggle, tmp_path / "cache"
    )
    assert done.returncode == 0, done.stderr[-3000:]
    regressor = kaggle / "working" / "regressor" / "regressor"
    assert (regressor / "regressor.safetensors").is_file()


def test_a_kernel_without_wheels_says_what_to_add(tmp_path):
    kaggle = tmp_path / "kaggle"
    mount_competition(kaggle, "competitions", images=1)
    done = submit(tmp_path, "embedded", Path(sys.executable))
    assert done.returncode != 0
    assert f"competitions/{COMPETITION}" in done.stderr
    assert "add the output of the kernel prompt-ensemble-wheels" in " ".join(done.stderr.split())


@pytest.mark.slow
def test_the_readmes_three_commands_on_a_machine_with_nothing_else(tmp_path, wheel, monkeypatch):
    """Dataset, wheels kernel, submission kernel: a Python filled from those wheels alone."""
    kaggle = tmp_path / "kaggle"
    data = mount_competition(kaggle, "competitions", images=40)
    dataset = kaggle / "input" / "datasets" / "somebody" / "prompt-ensemble"
    pack_dataset(wheel, [], dataset, "somebody")
    kernels = render_kernels(KERNELS, tmp_path / "wheels", "somebody")
    script = next(folder / "wheels.py" for folder in kernels if folder.name == "wheels")
    monkeypatch.setenv("PIP_CONSTRAINT", str(KERNELS.parent / "constraints.txt"))
    online = python_with([], tmp_path / "online")
    made = run_kernel(script, online, kaggle, tmp_path / "cache", internet=True)
    if "No matching distribution" in made.stderr or "Could not find a version" in made.stderr:
        pytest.skip(f"no package index is at hand: {made.stderr[-300:]}")
    assert made.returncode == 0, made.stderr[-3000:]
    mounted = kaggle / "input" / "notebooks" / "somebody" / "prompt-ensemble-wheels"
    mounted.parent.mkdir(parents=True)
    shutil.move(kaggle / "working", mounted)
    done = submit(tmp_path, "embedded", python_with([], tmp_path / "python"))
    assert done.returncode == 0, done.stderr[-3000:]
    assert faults(kaggle, data) == []
