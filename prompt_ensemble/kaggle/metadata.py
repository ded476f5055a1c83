"""Kaggle's rules for kernel-metadata.json and dataset-metadata.json, as its client checks them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prompt_ensemble.core.errors import BadMetadata
from prompt_ensemble.core.records import read_object

KERNEL_FILE = "kernel-metadata.json"
DATASET_FILE = "dataset-metadata.json"
_OWNED = re.compile(r"[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9-]*")
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]*")
_SWITCHES = ("is_private", "enable_gpu", "enable_tpu", "enable_internet")
SOURCES = {"dataset_sources": _OWNED, "kernel_sources": _OWNED, "competition_sources": _SLUG}
_LICENCES = (
    "CC0-1.0", "CC-BY-4.0", "CC-BY-SA-4.0", "CC-BY-NC-SA-4.0", "GPL-2", "ODbL-1.0", "apache-2.0",
    "other",
)  # fmt: skip
GPU = "NvidiaTeslaT4"
"""Kaggle's default GPU, a P100, is no longer supported by the torch of its image."""


def read_metadata(path: Path) -> dict[str, Any]:
    """A metadata file."""
    return read_object(path, "metadata, which is one JSON object", BadMetadata)


def refuse(faults: list[str], path: Path) -> None:
    """Raise all faults as one line, if there are any."""
    if faults:
        raise BadMetadata(f"{path}: {'; '.join(faults)}")


def kernel_faults(metadata: Mapping[str, Any], folder: Path) -> list[str]:
    """What Kaggle would refuse in a kernel's metadata, or silently take for something else."""
    faults = [*_id_faults(metadata), *_title_faults(metadata, 5, 50)]
    code = folder / str(metadata.get("code_file"))
    if not code.is_file():
        faults.append(f"code_file {code.name!r} is not next to it")
    for key, wanted in {"language": "python", "kernel_type": "script"}.items():
        if metadata.get(key) != wanted:
            faults.append(f"{key} is {metadata.get(key)!r}, expected {wanted!r}")
    # If the key is left out the internet is on, whatever the documentation says.
    faults += [
        f"{key} is {metadata.get(key)!r}, expected true or false"
        for key in _SWITCHES
        if not isinstance(metadata.get(key), bool)
    ]
    if metadata.get("enable_gpu") and metadata.get("machine_shape") != GPU:
        faults.append(f"machine_shape is {metadata.get('machine_shape')!r}, expected {GPU!r}")
    for key, shape in SOURCES.items():
        bad = [source for source in metadata.get(key, []) if not shape.fullmatch(str(source))]
        faults += [f"{key} holds {source!r}, which is no {_shape_of(key)}" for source in bad]
    return faults


def _shape_of(key: str) -> str:
    """What an entry of a list of sources looks like."""
    return "slug" if SOURCES[key] is _SLUG else "user/slug"


def dataset_faults(metadata: Mapping[str, Any]) -> list[str]:
    """What Kaggle would refuse in a dataset's metadata."""
    faults = [*_id_faults(metadata), *_title_faults(metadata, 6, 50)]
    slug = str(metadata.get("id", "")).partition("/")[2]
    if not 3 <= len(slug) <= 50:
        faults.append(f"slug {slug!r} has {len(slug)} characters, expected 3 to 50")
    named = [str(licence.get("name")) for licence in metadata.get("licenses", [])]
    if len(named) != 1 or named[0] not in _LICENCES:
        faults.append(f"licenses are {named}, expected exactly one of {', '.join(_LICENCES)}")
    subtitle = metadata.get("subtitle")
    if subtitle is not None and not 20 <= len(subtitle) <= 80:
        faults.append(f"subtitle has {len(subtitle)} characters, expected 20 to 80")
    return faults


def _id_faults(metadata: Mapping[str, Any]) -> list[str]:
    """The id must be user/slug, and the slug what Kaggle makes of the title."""
    identity, title = str(metadata.get("id")), str(metadata.get("title"))
    if not _OWNED.fullmatch(identity):
        return [f"id is {identity!r}, expected user/slug in lower case"]
    slug = identity.partition("/")[2]
    if slug != slugified(title):
        return [f"slug {slug!r} is not that of the title {title!r}, which is {slugified(title)!r}"]
    return []


def _title_faults(metadata: Mapping[str, Any], least: int, most: int) -> list[str]:
    """A title that is too short or too long."""
    title = str(metadata.get("title", ""))
    if least <= len(title) <= most:
        return []
    return [f"title {title!r} has {len(title)} characters, expected {least} to {most}"]


def slugified(title: str) -> str:
    """A title in lower case, words joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
