"""The second part: which images and prompts are there already, once all have been looked at."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from prompt_ensemble.core.progress import Progress
from prompt_ensemble.data.deduplication import deduplicate
from prompt_ensemble.data.gathering.near_images import first_near_images
from prompt_ensemble.data.gathering.options import GatherOptions
from prompt_ensemble.data.gathering.row import (
    NEAR_PROMPT,
    SAME_IMAGE,
    SAME_PROMPT,
    read_columns,
)
from prompt_ensemble.data.gathering.steps import Step
from prompt_ensemble.data.normalising import normalise

Encode = Callable[[Sequence[str]], np.ndarray]
NONE = -1
REASONS = (SAME_IMAGE, SAME_PROMPT, NEAR_PROMPT)


@dataclass(frozen=True, eq=False)
class Judgement:
    """For every row of all steps, in their order, why it is dropped and what it is like."""

    dropped: np.ndarray
    """``(N,)`` small integers: 0, or one more than the place in ``REASONS``."""
    near_duplicate_of: np.ndarray
    """``(N,)`` int64: the earlier row whose image is nearly the same, or -1."""
    images: int
    """Near-duplicate images found, dropped or not."""
    prompts: int
    """Images whose prompt an earlier one has."""

    def reason(self, row: int) -> str:
        """Why a row is dropped; empty if it is not."""
        code = int(self.dropped[row])
        return REASONS[code - 1] if code else ""


def judge(
    steps: Sequence[Step], options: GatherOptions, encode: Encode | None, progress: Progress
) -> Judgement:
    """All rows against each other; of each only a hash and a digest are held in memory."""
    hashes, keys, kept = _read(steps)
    dropped = np.zeros(len(kept), np.int8)
    near_duplicate_of = np.full(len(kept), NONE, np.int64)
    places = np.flatnonzero(kept)
    first = places[first_near_images(hashes[places], options.near_bits, progress=progress)]
    again = first != places
    near_duplicate_of[places[again]] = first[again]
    if options.drop_near_images:
        dropped[places[again]] = _code(SAME_IMAGE)
        places = places[~again]
    _, firsts = np.unique(keys[places], return_index=True)
    prompts = len(places) - len(firsts)
    if options.images_per_prompt:
        enough = _beyond(keys[places], options.images_per_prompt)
        dropped[places[enough]] = _code(SAME_PROMPT)
        places = places[~enough]
    if options.near_prompts and encode:
        near = _near_prompts(steps, places, keys, options.near_prompts, encode, progress)
        dropped[places[near]] = _code(NEAR_PROMPT)
    return Judgement(dropped, near_duplicate_of, int(again.sum()), prompts)


def _code(reason: str) -> int:
    return REASONS.index(reason) + 1


def _read(steps: Sequence[Step]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hashes of images, keys of prompts, and whether a row is a pair so far."""
    hashes, keys, kept = [], [], []
    for step in steps:
        columns = read_columns(step.rows, "left_out", "hash", "prompt")
        hashes.append(np.array(columns["hash"], np.uint64))
        keys.append(np.array([_key(prompt) for prompt in columns["prompt"]], np.uint64))
        kept.append(np.array([not reason for reason in columns["left_out"]], bool))
    return np.concatenate(hashes), np.concatenate(keys), np.concatenate(kept)


def _key(prompt: str) -> int:
    """64 bits of a normalised prompt; two of ten million share them once in four hundred thousand
    sets."""
    digest = hashlib.blake2b(normalise(prompt).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _beyond(keys: np.ndarray, most: int) -> np.ndarray:
    """Whether so many rows of one key came before."""
    seen: Counter[int] = Counter()
    beyond = np.zeros(len(keys), bool)
    for row, key in enumerate(keys.tolist()):
        seen[key] += 1
        beyond[row] = seen[key] > most
    return beyond


def _near_prompts(
    steps: Sequence[Step], places: np.ndarray, keys: np.ndarray, threshold: float, encode: Encode,
    progress: Progress,
) -> np.ndarray:  # fmt: skip
    """Whether the prompt of each place is near to another that is kept."""
    _, first, number = np.unique(keys[places], return_index=True, return_inverse=True)
    order = np.argsort(first)
    prompts = _prompts_at(steps, places[first[order]])
    found = deduplicate(prompts, encode, threshold, progress=progress)
    near = np.ones(len(order), bool)
    near[order[found.kept]] = False
    rows: np.ndarray = near[number]
    return rows


def _prompts_at(steps: Sequence[Step], places: np.ndarray) -> list[str]:
    """The prompts of some rows, ascending."""
    prompts: list[str] = []
    start = 0
    for step in steps:
        end = start + step.last - step.first
        wanted = places[(places >= start) & (places < end)] - start
        if len(wanted):
            column = read_columns(step.rows, "prompt")["prompt"]
            prompts += [column[place] for place in wanted.tolist()]
        start = end
    return prompts
