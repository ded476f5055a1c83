"""A Kaggle machine in a folder: read-only inputs, no network, a Python of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
from conftest import paint_photos

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings
from prompt_ensemble.core.submission import write_submission

REPOSITORY = Path(__file__).parents[1]
COMPETITION = "stable-diffusion-image-to-prompts"
BLOCKED = """
import socket

class Blocked(socket.socket):
    def __init__(self, family=socket.AF_INET, *rest, **more):
        if family != socket.AF_UNIX:
            raise OSError("this machine has no network")
        super().__init__(family, *rest, **more)

socket.socket = Blocked
"""


def build_wheel(out: Path) -> Path:
    """Our wheel, as ``make wheel`` builds it."""
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    source = out / "source"
    ignored = shutil.ignore_patterns(".*", "build", "dist", "out", "*.egg-info", "__pycache__")
    shutil.copytree(REPOSITORY, source, ignore=ignored)
    subprocess.run([*pip, "--wheel-dir", str(out), str(source)], check=True)
    return next(out.glob("prompt_ensemble-*.whl"))


def mount_competition(kaggle: Path, mount: str, images: int) -> Path:
    """Pictures and a sample submission under ``input/<mount>``."""
    folder = kaggle / "input" / mount / COMPETITION
    folder.mkdir(parents=True)
    paint_photos(folder / "images", images)
    ids = [path.stem for path in sorted((folder / "images").iterdir())]
    sample = Embeddings(tuple(ids), np.ones((images, EMBEDDING_WIDTH), np.float32))
    write_submission(folder / "sample_submission.csv", sample)
    return folder


def python_with(packages: list[Path], folder: Path) -> Path:
    """A fresh Python that sees these site-packages too, as Kaggle's image has its own."""
    venv.create(folder, with_pip=True)
    site = next(folder.glob("lib/python*/site-packages"))
    lines = [str(path) for path in packages]
    (site / "image.pth").write_text("\n".join(lines) + "\n")
    return folder / "bin" / "python"


def run_kernel(
    script: Path, python: Path, kaggle: Path, cache: Path, *, internet: bool = False
) -> subprocess.CompletedProcess[str]:
    """A kernel's script on the machine, inputs read-only, as a rule without a network."""
    (kaggle / "working").mkdir(exist_ok=True)
    blocked = kaggle / "blocked"
    blocked.mkdir(exist_ok=True)
    (blocked / "sitecustomize.py").write_text(BLOCKED)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(kaggle),
        "PYTHONPATH": str(blocked),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2"),
        "PROMPT_ENSEMBLE_KAGGLE": str(kaggle),
        "PROMPT_ENSEMBLE_CACHE": str(cache),
    }
    if internet:
        pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        environment |= {"HOME": os.environ["HOME"], "PYTHONPATH": "", **pip}
    make_writable(kaggle / "input", False)
    try:
        return subprocess.run(
            [*([] if internet else without_network()), str(python), str(script)],
            env=environment, cwd=kaggle / "working", capture_output=True, text=True, check=False,
        )  # fmt: skip
    finally:
        make_writable(kaggle / "input", True)


def without_network() -> list[str]:
    """A namespace without interfaces where the system allows one; sockets are blocked anyway."""
    command = ["unshare", "--map-root-user", "--net"]
    if not shutil.which("unshare"):
        return []
    tried = subprocess.run([*command, "true"], capture_output=True, check=False)
    return command if tried.returncode == 0 else []


def make_writable(folder: Path, writable: bool) -> None:
    """Take or give the right to write to a folder and all below it."""
    for path in [folder, *folder.rglob("*")]:
        mode = path.stat().st_mode
        path.chmod(mode | 0o200 if writable else mode & ~0o222)
