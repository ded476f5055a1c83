"""How often a caption's loops wait for the device.

On a card torch tells of each wait itself (``torch.cuda.set_sync_debug_mode``). On a processor the
operators are counted that would make it wait on a card, so that the loops can be tested anywhere.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.gpu_check.models import Settings, ensemble_of, paint
from prompt_ensemble.images.decode import load_image
from prompt_ensemble.images.find import find_images
from prompt_ensemble.models.text_generation.decoding import Decoding
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run.members import open_members

WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "unique", "_unique2")
"""Operators whose result the processor must know."""
BY_MASK = ("index", "index_put", "index_put_")
"""Those that must know how many are chosen when they are given a mask."""
BEFORE, NETWORK, SEARCH = "before", "network", "search"


@dataclass
class Waits:
    """Words decoded, and how often the processor waited in each phase, by what."""

    words: int = 0
    phase: str = BEFORE
    counted: dict[str, Counter[str]] = field(
        default_factory=lambda: {phase: Counter() for phase in (BEFORE, NETWORK, SEARCH)}
    )

    def note(self, name: str) -> None:
        """One more."""
        self.counted[self.phase][name] += 1

    def of(self, phase: str) -> int:
        """All of a phase."""
        return sum(self.counted[phase].values())


class Listening(TorchDispatchMode):
    """Notes operators that would make the processor wait for a card."""

    def __init__(self, waits: Waits) -> None:
        super().__init__()
        self.waits = waits

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.name().removeprefix("aten::").split(".")[0]
        if name in WAITING or (name in BY_MASK and any(map(is_mask, args[1]))):
            self.waits.note(name)
        return func(*args, **(kwargs or {}))


def is_mask(index: torch.Tensor | None) -> bool:
    """Whether an index says yes or no instead of where."""
    return index is not None and index.dtype == torch.bool


@contextmanager
def listening(waits: Waits, device: torch.device) -> Iterator[None]:
    """Notes every wait within."""
    if device.type != "cuda":
        with Listening(waits):
            yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *rest: (
            waits.note("cuda") if "synchroniz" in str(message) else None
        )
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")


class WatchedDecoding:
    """A decoding that says when the network is at work; its first step only reads the prompt."""

    def __init__(self, decoding: Decoding, waits: Waits) -> None:
        self.decoding = decoding
        self.waits = waits

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        self.waits.phase = NETWORK if self.waits.words else BEFORE
        self.waits.words += 1
        logits = self.decoding.step(tokens)
        self.waits.phase = SEARCH
        return logits

    def reorder(self, rows: torch.Tensor) -> None:
        self.waits.phase = NETWORK
        self.decoding.reorder(rows)
        self.waits.phase = SEARCH


def count_waits(settings: Settings, kind: str) -> Waits:
    """A batch is captioned by beam search with repetitions banned."""
    banning = {"num_beams": 3, "no_repeat_ngram_size": 2, "max_length": 16, "min_length": 8}
    config = ensemble_of(kind, settings.folder, **banning)
    (member,) = open_members(config, WeightRoots.usual())
    opened: Any = member.predictor.open(settings.placement)
    captioner = opened.captioner
    images = find_images([paint(settings.folder / "four", 4)])
    views = [captioner.prepare(load_image(image.path)) for image in images]
    pixels = torch.stack(views).to(settings.placement.device)
    waits = Waits()
    watched = replace(captioner, begin=lambda p: WatchedDecoding(captioner.begin(p), waits))
    # Not in inference mode, in which operators made of others are not taken apart.
    with torch.no_grad(), settings.placement.autocast(), listening(waits, pixels.device):
        watched.caption(pixels)
    return waits
