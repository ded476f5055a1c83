"""Predictions to tune or evaluate: members of finished runs, or embeddings files, by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from prompt_ensemble.core.certainty import Signals
from prompt_ensemble.core.embeddings import Embeddings
from prompt_ensemble.core.errors import BadConfig, MismatchedIds
from prompt_ensemble.core.records import as_object, read_object, read_table, reading
from prompt_ensemble.data.truth import load_vectors
from prompt_ensemble.run.results import CONFIDENCE_TABLE

_CONFIDENCES = "a table of confidences"
_SAME_ROW = 1e-4
"""Numbers of the same member on two machines differ by no more."""
_SUFFIXES = (".safetensors", ".csv")


def load_parts(sources: Iterable[Path]) -> dict[str, Embeddings]:
    """Member name → embeddings, from run folders and from files named after the member.

    Runs may share a member, if it is the same one: it is joined over the images of all of them.
    """
    parts: dict[str, Embeddings] = {}
    identities: dict[str, object] = {}
    for source in sources:
        members = read_record(source).get("members", {})
        for path in _member_files(source):
            identity = members.get(path.stem, {}).get("identity")
            loaded = load_vectors(path)
            if path.stem in parts:
                same = identity is not None and identity == identities[path.stem]
                loaded = _joined(parts[path.stem], loaded, path, same)
            parts[path.stem], identities[path.stem] = loaded, identity
    return parts


def _joined(known: Embeddings, more: Embeddings, path: Path, same: bool) -> Embeddings:
    """One member over the images of two runs; where both have an image they must agree."""
    rows = {image_id: row for row, image_id in enumerate(known.image_ids)}
    new = [image_id for image_id in more.image_ids if image_id not in rows]
    both = [image_id for image_id in more.image_ids if image_id in rows]
    apart = np.abs(known.take(both).vectors - more.take(both).vectors).max(initial=0.0)
    if (new and not same) or apart > _SAME_ROW:
        raise BadConfig(
            f"two predictions are named {path.stem!r}, one of them {path}, and come from different "
            "members; names are unique, so rename one of them, or predict both with the same "
            "weights and options"
        )
    if not new:
        return known
    vectors = np.concatenate([known.vectors, more.take(new).vectors])
    return Embeddings((*known.image_ids, *new), vectors)


def _member_files(source: Path) -> list[Path]:
    """The embeddings files of a run folder, or the file itself.

    A member that only an earlier run into the same folder had is none of the run.
    """
    if source.is_file() and source.suffix in _SUFFIXES:
        return [source]
    files = sorted((source / "embeddings").glob("*.safetensors"))
    members = read_record(source).get("members")
    if members:
        files = [file for file in files if file.stem in members]
    if not files:
        raise BadConfig(
            f"{source} holds no predictions; expected a folder that 'predict --out' filled, or "
            "an embeddings file or submission"
        )
    return files


def read_record(folder: Path) -> dict[str, Any]:
    """``run.json`` of a run folder, empty if there is none."""
    path = folder / "run.json"
    if not path.is_file():
        return {}
    record = read_object(path, "the record of a run")
    with reading(path, "the record of a run"):
        for member in as_object(record.get("members", {})).values():
            as_object(member)
    return record


def judged_images(parts: Mapping[str, Embeddings], truth: Embeddings) -> Embeddings:
    """The truth of the images that were predicted, each of which must have one."""
    predicted = set().union(*(part.image_ids for part in parts.values()))
    strangers = sorted(predicted - set(truth.image_ids))
    if strangers:
        raise MismatchedIds(
            f"{len(strangers)} predicted images have no truth, first {strangers[0]!r}; "
            "give the prompts of the same images"
        )
    return truth.take([image_id for image_id in truth.image_ids if image_id in predicted])


def load_confidence(sources: Iterable[Path], image_ids: Sequence[str]) -> Signals:
    """Signs of certainty that runs have left, for these images in this order."""
    found: Signals = {}
    for source in sources:
        path = source / CONFIDENCE_TABLE
        if path.is_file():
            found |= read_confidence(path, image_ids)
    return found


def read_confidence(path: Path, image_ids: Sequence[str]) -> Signals:
    """The columns of one confidence table."""
    by_id = {row.pop("image_id"): row for row in read_table(path, _CONFIDENCES, "image_id")}
    absent = [image_id for image_id in image_ids if image_id not in by_id]
    if absent:
        raise MismatchedIds(f"{path} has no row for image {absent[0]!r}; run 'predict' again")
    rows = [by_id[image_id] for image_id in image_ids]
    with reading(path, _CONFIDENCES):
        return {name: np.array([float(row[name]) for row in rows]) for name in (rows or [{}])[0]}
