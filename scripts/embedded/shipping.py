"""Puts a trained regressor into ``weights/``, with its manifest entry and model card."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.files import file_digest, write_atomically
from prompt_ensemble.core.seen_prompts import TRAINED_ON
from prompt_ensemble.models.regressor.regressor_folder import DESCRIPTION, WEIGHTS
from scripts.embedded.score_tables import margin_table, public_table, source_table

_LICENCE = "Apache-2.0"
CARD = "MODEL_CARD.md"
MANIFEST = "manifest.json"


def ship(regressor: Path, name: str, revision: str, weights: Path) -> None:
    """Copy a run's regressor to ``weights/name`` and write down sizes and digests of its files."""
    for file in (DESCRIPTION, WEIGHTS, TRAINED_ON):
        write_atomically(weights / name / file, (regressor / file).read_bytes())
    note_in_manifest(weights / MANIFEST, measured_entry(weights / name, name, revision))


def measured_entry(
    folder: Path,
    name: str,
    revision: str,
    kind: str = "regressor",
    names: Sequence[str] = (DESCRIPTION, WEIGHTS, TRAINED_ON),
) -> dict[str, Any]:
    """The entry of some weights in the manifest."""
    paths = [folder / file for file in names]
    files = [
        {"path": path.name, "bytes": path.stat().st_size, "sha256": file_digest(path)}
        for path in paths
    ]
    return {
        "name": name, "kind": kind, "source": "this repository", "revision": revision,
        "licence": _LICENCE, "folder": folder.name, "files": files,
    }  # fmt: skip


def note_weights(folder: Path, kind: str, revision: str) -> None:
    """Write down sizes and digests of all files in a folder of ``weights/``."""
    names = sorted(file.name for file in folder.iterdir())
    entry = measured_entry(folder, folder.name, revision, kind, names)
    note_in_manifest(folder.parent / MANIFEST, entry)


def note_in_manifest(manifest: Path, entry: Mapping[str, Any]) -> None:
    """Replace the entry of that name, or add it at the end."""
    table = json.loads(manifest.read_text(encoding="utf-8"))
    names = [model["name"] for model in table["models"]]
    place = names.index(entry["name"]) if entry["name"] in names else len(names)
    table["models"][place : place + 1] = [entry]
    write_atomically(manifest, json.dumps(table, indent=1, ensure_ascii=False) + "\n")


def note_in_card(
    card: Path, scores: Mapping[str, Mapping[str, Any]], public: Mapping[str, float]
) -> None:
    """Write the tables between their markers, ``<!-- scores NAME -->`` and ``<!-- public -->``."""
    text = card.read_text(encoding="utf-8")
    for name, table in scores.items():
        tables = f"{source_table(table)}\n{margin_table(table)}"
        text = _between(text, f"scores {name}", tables, card)
    if public:
        text = _between(text, "public", public_table(public), card)
    write_atomically(card, text)


def _between(text: str, marker: str, content: str, file: Path) -> str:
    """``text`` with new content from ``<!-- marker -->`` to ``<!-- /marker -->``."""
    start, end = f"<!-- {marker} -->", f"<!-- /{marker} -->"
    pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise BadConfig(f"{file} has no single part from {start!r} to {end!r}; put both lines back")
    return pattern.sub(lambda _: f"{start}\n{content}{end}", text)
