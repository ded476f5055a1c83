"""Kernels from start to end on a simulated Kaggle machine."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kaggle.simulated import COMPETITION, build_wheel, mount_competition, python_with, run_kernel

from prompt_ensemble.kaggle.packing import pack_dataset
from prompt_ensemble.kaggle.rendering import render_kernels
from prompt_ensemble.submission import check_submission

KERNELS = Path(__file__).parents[2] / "kernels"
IMAGE_PACKAGES = [Path(path) for path in sys.path if path.endswith("site-packages")]
REGRESSOR_ALONE = """
prior = "embedded-prior"

[[members]]
name = "lite0"
model = "regressor"
weights = "embedded-lite0"
"""


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
    wheels = kaggle / "input" / notebook / "prompt-ensemble-wheels"
    wheels.mkdir(parents=True)
    shutil.copy(wheel, wheels)
    (tmp_path / "quick.toml").write_text(REGRESSOR_ALONE)
    rendered = render_kernels(KERNELS, tmp_path / "k", "somebody", str(tmp_path / "quick.toml"))
    script = next(folder / "submission.py" for folder in rendered if folder.name == "submission")
    python = python_with(IMAGE_PACKAGES, tmp_path / "python")
    done = run_kernel(script, python, kaggle, tmp_path / "cache")
    assert done.returncode == 0, done.stderr[-3000:]
    ids = [path.stem for path in sorted((data / "images").iterdir())]
    assert check_submission(kaggle / "working" / "submission.csv", ids) == []
    assert installed_from(python).startswith(str(tmp_path / "python"))


def installed_from(python: Path) -> str:
    """Where the machine's own Python imports us from."""
    code = "import prompt_ensemble; print(prompt_ensemble.__file__)"
    return subprocess.run(
        [python, "-I", "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_a_kernel_without_wheels_says_what_to_add(tmp_path):
    kaggle = tmp_path / "kaggle"
    mount_competition(kaggle, "competitions", images=1)
    done = run_kernel(
        KERNELS / "submission" / "submission.py", Path(sys.executable), kaggle, tmp_path / "cache"
    )
    assert done.returncode != 0
    assert f"competitions/{COMPETITION}" in done.stderr
    assert "add the output of the kernel prompt-ensemble-wheels" in " ".join(done.stderr.split())


@pytest.mark.slow
def test_the_readmes_three_commands_on_a_machine_with_nothing_else(tmp_path, wheel):
    """Wheels of everything, a Python filled from them alone, the embedded default."""
    kaggle = tmp_path / "kaggle"
    data = mount_competition(kaggle, "competitions", images=40)
    pack_dataset(wheel, [], kaggle / "input" / "datasets" / "somebody" / "prompt-ensemble", "some1")
    wheels = kaggle / "input" / "notebooks" / "somebody" / "prompt-ensemble-wheels"
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", str(wheels)]
    constraints = ["-c", str(KERNELS.parent / "constraints.txt")]
    made = subprocess.run([*pip, *constraints, str(wheel)], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"wheels cannot be had: {made.stderr[-300:]}")
    script = render_kernels(KERNELS, tmp_path / "k", "somebody")
    python = python_with([], tmp_path / "python")
    path = next(folder / "submission.py" for folder in script if folder.name == "submission")
    done = run_kernel(path, python, kaggle, tmp_path / "cache")
    assert done.returncode == 0, done.stderr[-3000:]
    ids = [image.stem for image in sorted((data / "images").iterdir())]
    assert check_submission(kaggle / "working" / "submission.csv", ids) == []
