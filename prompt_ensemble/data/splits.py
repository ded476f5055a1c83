"""Splits that never cut a group, and the file that fixes one for good.

A split file holds the group and the fold of every image and a digest of both. Loading checks the
digest and that no group lies in two folds, so an edited or damaged split is an error and never a
quietly better score.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from prompt_ensemble.core.errors import BadConfig, MismatchedIds
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.records import read_object, reading

FORMAT = 1


def k_folds(groups: np.ndarray, folds: int = 5, seed: int = 0) -> np.ndarray:
    """Fold of each image, ``(N,)``: whole groups, large ones first, each to the emptiest fold."""
    _, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if not 2 <= folds <= len(sizes):
        raise BadConfig(
            f"{len(sizes)} groups of prompts cannot be put into {folds} folds; expected at least "
            "2 folds and a group for each; use fewer folds or more varied images"
        )
    shuffled = np.random.default_rng(seed).permutation(len(sizes))
    fold_of = np.empty(len(sizes), np.int64)
    filled = np.zeros(folds, np.int64)
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        fold_of[group] = filled.argmin()
        filled[fold_of[group]] += sizes[group]
    assigned: np.ndarray = fold_of[number]
    return assigned


def hold_out(groups: np.ndarray, share: float = 0.1, seed: int = 0) -> np.ndarray:
    """Mask of held-out images, ``(N,)``: random whole groups until ``share`` of all is reached."""
    if not 0 < share < 1:
        raise BadConfig(f"held-out share is {share}; expected a number between 0 and 1")
    _, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    shuffled = np.random.default_rng(seed).permutation(len(sizes))
    before = np.cumsum(sizes[shuffled]) - sizes[shuffled]
    chosen = np.zeros(len(sizes), bool)
    chosen[shuffled[before < share * len(groups)]] = True
    mask: np.ndarray = chosen[number]
    return mask


def leave_one_source_out(
    groups: np.ndarray, sources: Sequence[str]
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """For each source, by name: masks of the images to train on, and of the source's own.

    Images elsewhere that share a group with the source are in neither.
    """
    names = np.array(sources)
    for source in sorted(set(sources)):
        judged = names == source
        yield source, ~np.isin(groups, groups[judged]), judged


@dataclass(frozen=True, eq=False)
class Split:
    """Group and fold of every image."""

    image_ids: tuple[str, ...]
    groups: np.ndarray
    folds: np.ndarray

    def __post_init__(self) -> None:
        if not len(self.image_ids) == len(self.groups) == len(self.folds):
            raise MismatchedIds(
                f"a split of {len(self.image_ids)} images has {len(self.groups)} groups and "
                f"{len(self.folds)} folds; expected one of each per image"
            )
        check_folds(self.groups, self.folds)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over ids, groups and folds in the order of ids."""
        rows = sorted(zip(self.image_ids, self.groups.tolist(), self.folds.tolist(), strict=True))
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

    def take(self, image_ids: Sequence[str]) -> Split:
        """The same for some images, in their order."""
        row = {image_id: number for number, image_id in enumerate(self.image_ids)}
        absent = [image_id for image_id in image_ids if image_id not in row]
        if absent:
            raise MismatchedIds(
                f"{len(absent)} of {len(image_ids)} images are not in the split, first "
                f"{absent[0]!r}; make the split over all images"
            )
        rows = [row[image_id] for image_id in image_ids]
        return Split(tuple(image_ids), self.groups[rows], self.folds[rows])

    def save(self, path: Path) -> None:
        """Write as JSON."""
        rows = zip(self.image_ids, self.groups.tolist(), self.folds.tolist(), strict=True)
        images = {image_id: [group, fold] for image_id, group, fold in rows}
        record = {"format": FORMAT, "digest": self.digest, "images": images}
        write_atomically(path, json.dumps(record, indent=0) + "\n")

    @classmethod
    def load(cls, path: Path) -> Split:
        """Read what ``save`` wrote, if it is still what was written."""
        record = read_object(path, "a split file")
        with reading(path, "a split file"):
            images = record["images"]
            rows = np.array(list(images.values()), np.int64).reshape(len(images), 2)
            split = cls(tuple(images), rows[:, 0], rows[:, 1])
            noted = record["digest"]
        if split.digest != noted:
            raise BadConfig(
                f"{path} has digest {split.digest[:12]}… but notes {str(noted)[:12]}…: it was "
                "changed after it was written; restore it or make the split again"
            )
        return split


def check_folds(groups: np.ndarray, folds: np.ndarray) -> None:
    """No group may lie in more than one fold."""
    pairs = np.unique(np.stack([groups, folds], axis=1), axis=0)
    numbers, times = np.unique(pairs[:, 0], return_counts=True)
    cut = numbers[times > 1]
    if len(cut):
        raise BadConfig(
            f"{len(cut)} groups of near-duplicate prompts lie in more than one fold, first group "
            f"{cut[0]}; scores would be too good, so split by groups (dataset.splits.k_folds)"
        )
