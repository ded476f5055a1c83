"""What captioners are compared on: images, their true prompts, and which images belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prompt_ensemble.core.embeddings import Encode, unit_rows
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.data.groups import connected_groups, merge
from prompt_ensemble.data.pairs import Pairs
from prompt_ensemble.evaluation.controls import mean_of_other_groups
from prompt_ensemble.evaluation.retrieval import ranks_among


@dataclass(frozen=True)
class StudyImage:
    """An image and what is known of it."""

    image_id: str
    file: Path
    prompts: tuple[str, ...]
    source: str


@dataclass(frozen=True, eq=False)
class Material:
    """Images in the order of all arrays, with the embeddings of their prompts."""

    images: tuple[StudyImage, ...]
    prompts: np.ndarray
    """``(P, 384)`` unit rows, the prompts of the first image, then those of the second …"""
    groups: np.ndarray
    """``(N,)``; images whose prompts are nearly alike are of one group."""

    @property
    def image_ids(self) -> tuple[str, ...]:
        """The ids, in order."""
        return tuple(image.image_id for image in self.images)

    @property
    def references(self) -> list[tuple[str, ...]]:
        """The true prompts of each image."""
        return [image.prompts for image in self.images]

    def cosines(self, captions: np.ndarray) -> np.ndarray:
        """Cosine of each caption to the nearest prompt of its image, ``(N,)``."""
        counts, starts = self._counts()
        own = np.einsum(
            "ij,ij->i", np.repeat(captions, counts, axis=0), self.prompts, dtype=np.float64
        )
        nearest: np.ndarray = np.maximum.reduceat(own, starts)
        return nearest

    def ranks(self, captions: np.ndarray) -> np.ndarray:
        """Rank of the image's own prompt among all distinct ones, ``(N,)``; 1 is the nearest."""
        return ranks_among(captions, self.cosines(captions), np.unique(self.prompts, axis=0))

    def image_gain(self, captions: np.ndarray) -> np.ndarray:
        """Cosine to the own prompts less that to the prompts of all other groups, ``(N,)``.

        Both are means over prompts, so that one with captions dealt to other images is 0.
        """
        counts, starts = self._counts()
        own = np.add.reduceat(self.prompts.astype(np.float64), starts) / counts[:, None]
        elsewhere = mean_of_other_groups(own, self.groups)
        gain: np.ndarray = np.einsum("ij,ij->i", captions, own - elsewhere)
        return gain

    def _counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Prompts of each image, and where they begin."""
        counts = np.array([len(image.prompts) for image in self.images])
        return counts, np.cumsum(counts) - counts


def images_of(pairs: Pairs) -> tuple[StudyImage, ...]:
    """The images of a listing, each with all its prompts, in the order of their ids.

    An id is the file's name without suffix, as everywhere. Where two files share one, it is the
    path from the folder that all images have in common, so that every image has its own.
    """
    rows: dict[Path, list[int]] = {}
    for row, pair in enumerate(pairs.rows):
        rows.setdefault(pair.image, []).append(row)
    if len(rows) < 2:
        raise BadConfig("a study needs two images at least; give a longer listing")
    ids = _ids(list(rows))
    images = [
        StudyImage(
            ids[file], file, tuple(dict.fromkeys(pairs.rows[row].prompt for row in numbers)),
            pairs.rows[numbers[0]].source,
        )
        for file, numbers in rows.items()
    ]  # fmt: skip
    return tuple(sorted(images, key=lambda image: image.image_id))


def _ids(files: Sequence[Path]) -> dict[Path, str]:
    """A name for each file."""
    if len({file.stem for file in files}) == len(files):
        return {file: file.stem for file in files}
    import os

    root = Path(os.path.commonpath([file.parent for file in files]))
    named = {file: file.relative_to(root).with_suffix("").as_posix() for file in files}
    if len(set(named.values())) < len(files):  # a.png beside a.jpg
        return {file: file.relative_to(root).as_posix() for file in files}
    return named


def gather(images: Sequence[StudyImage], encode: Encode, progress: Progress = silent) -> Material:
    """Prompts embedded, and groups of near-duplicates found."""
    texts = [prompt for image in images for prompt in image.prompts]
    prompts = unit_rows(encode(texts))
    owners = np.repeat(np.arange(len(images)), [len(image.prompts) for image in images])
    groups = connected_groups(prompts, progress=progress)
    first = np.searchsorted(owners, owners)  # the first prompt of the same image
    groups = merge(groups, groups[first], groups)
    return Material(tuple(images), prompts, groups[np.searchsorted(owners, np.arange(len(images)))])
