"""Texts that say what made each image: captions or prompts, as a table or as JSON lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from prompt_ensemble.core.embeddings import first_duplicate
from prompt_ensemble.core.errors import BadConfig, DuplicateImageId
from prompt_ensemble.core.records import Source, name_of, read_objects, read_table
from prompt_ensemble.data.truth import ID_NAMES, header

_TEXT_NAMES = ("prompt", "caption")
"""Where a table has both, as that of a run may, the prompt is the answer."""
_EXPECTED = "expected imgId (or image_id, id) and prompt or caption"


def holds_texts(path: Path) -> bool:
    """Whether a file is a table of texts, as its name and its columns say, and none of vectors."""
    if not path.is_file() or path.suffix not in (".csv", ".jsonl"):
        return False
    return path.suffix == ".jsonl" or bool(set(ID_NAMES) & set(header(path)))


def has_texts(path: Path) -> bool:
    """Whether a table that is there for other things too, as that of a run, has a text to judge."""
    return path.is_file() and _TEXT_NAMES[0] in header(path)


def load_texts(source: Source) -> dict[str, str]:
    """Image id → text, from a table or from what ``caption --out`` writes."""
    if isinstance(source, Path) and source.suffix == ".jsonl":
        rows = list(_of_json_lines(source))
    else:
        rows = list(_of_table(source))
    texts = dict(rows)
    if not rows:
        raise BadConfig(f"{name_of(source)} has no text at all; {_EXPECTED}")
    if len(texts) != len(rows):
        twice = first_duplicate(image_id for image_id, _ in rows)
        raise DuplicateImageId(
            f"{name_of(source)} lists image {twice!r} twice; expected one text each"
        )
    return texts


def _of_table(source: Source) -> Iterable[tuple[str, str]]:
    columns = dict.fromkeys(header(source))
    id_name, text_name = _names_among(columns, f"{name_of(source)} has the columns {[*columns]}")
    table = read_table(source, "a table of texts", id_name, text_name)
    return ((row[id_name], row[text_name]) for row in table)


def _of_json_lines(path: Path) -> Iterable[tuple[str, str]]:
    for place, record in read_objects(path, "an object with an image and its text"):
        id_name, text_name = _names_among(record, f"{place} has the keys {[*record]}")
        image_id, text = record[id_name], record[text_name]
        if not isinstance(image_id, str) or not isinstance(text, str):
            raise BadConfig(f"{place}: {id_name} and {text_name} are no texts; {_EXPECTED}")
        yield image_id, text


def _names_among(known: Mapping[str, object], has: str) -> tuple[str, str]:
    """What id and text are called here."""
    id_name = next((name for name in ID_NAMES if name in known), None)
    text_name = next((name for name in _TEXT_NAMES if name in known), None)
    if id_name is None or text_name is None:
        raise BadConfig(f"{has}; {_EXPECTED}")
    return id_name, text_name
