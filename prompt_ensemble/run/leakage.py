"""Leaks: validation images whose prompts a member has been trained on, or nearly so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from prompt_ensemble.core.embeddings import Embeddings
from prompt_ensemble.core.seen_prompts import SeenPrompts
from prompt_ensemble.data.exact_index import ExactIndex
from prompt_ensemble.data.groups import GROUP_THRESHOLD
from prompt_ensemble.data.splits import Split
from prompt_ensemble.run.results import TRAINED_ON_FOLDER
from prompt_ensemble.run.saved_predictions import read_record


def near_training(
    truth: Embeddings, training: np.ndarray, threshold: float = GROUP_THRESHOLD
) -> tuple[str, ...]:
    """Validation images whose prompt is as near to a training prompt as those of one group."""
    index = ExactIndex()
    index.add(training)
    cosines, _ = index.nearest(truth.vectors)
    return tuple(np.array(truth.image_ids, object)[cosines >= threshold].tolist())


def trained_on(truth: Embeddings, split: Split, held_out_fold: int) -> tuple[str, ...]:
    """Validation images that a member saw in training: it was held out of one fold of a split."""
    fold = dict(zip(split.image_ids, split.folds.tolist(), strict=True))
    return tuple(i for i in truth.image_ids if i in fold and fold[i] != held_out_fold)


def training_digests(runs: Iterable[Path]) -> dict[str, str]:
    """Member → digest of the listing it was trained on, where no filter says more."""
    found = {}
    for run in runs:
        for name, member in read_record(run).get("members", {}).items():
            identity = member.get("identity") or {}
            digest = identity.get("predictor", {}).get("trained_on")
            if digest and not _filter_path(run, name).is_file():
                found[name] = str(digest)
    return found


def _filter_path(run: Path, member: str) -> Path:
    """Where a run keeps what a member was trained on."""
    return run / TRAINED_ON_FOLDER / f"{member}.safetensors"


def told_by_filters(
    runs: Iterable[Path], image_ids: Sequence[str], prompts: Mapping[str, str]
) -> list[str]:
    """A sentence for each member whose run says what it was trained on."""
    folders = [run / TRAINED_ON_FOLDER for run in runs]
    filters = {p.stem: p for folder in folders for p in sorted(folder.glob("*.safetensors"))}
    if filters and not prompts:
        return [
            f"NOT CHECKED: the truth holds no texts to compare with what {' and '.join(filters)} "
            "learnt from; give prompts.csv (imgId,prompt)"
        ]
    return [
        seen_sentence(name, SeenPrompts.load(path), image_ids, prompts)
        for name, path in filters.items()
    ]


def seen_sentence(
    member: str, seen: SeenPrompts, image_ids: Sequence[str], prompts: Mapping[str, str]
) -> str:
    """How many of the judged prompts a member was trained on."""
    known = seen.contains([prompts.get(image_id, "") for image_id in image_ids])
    if not known.any():
        return (
            f"none of these {len(image_ids)} prompts is among the {seen.prompts} that {member} was "
            "trained on"
        )
    first = image_ids[int(known.argmax())]
    return (
        f"LEAK: {member} was trained on {known.sum()} of these {len(image_ids)} prompts, first "
        f"that of {first!r}; its score, and what is built on it, is not honest"
    )


def unchecked(digests: Mapping[str, str], given: Mapping[str, Path]) -> list[str]:
    """A sentence for each training set that could not be compared; ``given`` is by digest."""
    members: dict[str, list[str]] = {}
    for name, digest in digests.items():
        members.setdefault(digest, []).append(name)
    return [
        f"NOT CHECKED: {' and '.join(names)} learnt from the listing with digest {digest[:12]}; "
        "give it with --trained-on to find prompts that are in the validation set too"
        for digest, names in members.items()
        if digest not in given
    ]


def doubt(what: str, leaked: tuple[str, ...], total: int) -> str:
    """The sentence that flags a leak, or the one that says there is none."""
    if not leaked:
        return f"none of the {total} validation images shares a group with {what}"
    return (
        f"LEAK: {len(leaked)} of {total} validation images share a group with {what}, first "
        f"{leaked[0]!r}; the scores of members trained on it are too good"
    )
