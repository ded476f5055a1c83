"""Every test runs offline: a socket is an error. Fixtures are tiny real objects."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, NoReturn

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import pytest
from PIL import Image

import prompt_ensemble.models.weights
from prompt_ensemble.members import registry

pytest_plugins = ["captioner_fixtures"]


class BlockedSocket(socket.socket):
    """Refuses to exist, except for the local pairs that event loops and workers are made of."""

    attempts: ClassVar[list[str]] = []
    """What was tried, since whoever is refused may swallow the error and go on."""

    def __init__(self, family: int = socket.AF_INET, *rest: object, **more: object) -> None:
        if family != socket.AF_UNIX:
            refuse_network(f"a socket of family {family}")
        super().__init__(family, *rest, **more)


def refuse_network(*what: object, **more: object) -> NoReturn:
    """Note the attempt, so that the test fails whatever becomes of the error."""
    BlockedSocket.attempts.append(f"{what} {more}")
    raise OSError("tests run without a network")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A test that reaches for the network fails, even where the library hides the refusal."""
    monkeypatch.setattr(BlockedSocket, "attempts", [])
    monkeypatch.setattr(socket, "socket", BlockedSocket)
    monkeypatch.setattr(socket, "getaddrinfo", refuse_network)
    yield
    assert not BlockedSocket.attempts, f"the network was reached for: {BlockedSocket.attempts}"


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test caches no other run finds, and Kaggle's mounts are not ours."""
    monkeypatch.delenv("PROMPT_ENSEMBLE_WEIGHTS", raising=False)
    monkeypatch.setattr(prompt_ensemble.models.weights, "KAGGLE_INPUT", Path("/nowhere"))
    if "PROMPT_ENSEMBLE_CACHE" not in os.environ:
        cache = tmp_path_factory.getbasetemp() / "cache"
        monkeypatch.setenv("PROMPT_ENSEMBLE_CACHE", str(cache))


@pytest.fixture
def colour(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model kind ``colour`` of tests/colour_member.py, in the registry for one test."""
    monkeypatch.setitem(registry.PREDICTORS, "colour", "colour_member:ColourPredictor")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of twelve small pictures, no two alike."""
    folder = tmp_path / "photos"
    paint_photos(folder, 12)
    return folder


def paint_photos(folder: Path, count: int) -> None:
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(count):
        pixels = random.integers(0, 256, (16, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"photo{number:02}.png")
