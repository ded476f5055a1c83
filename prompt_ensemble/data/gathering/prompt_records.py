"""A row of a table or an object of JSON, read as an image's name and its prompt.

Published sets and programs call the same things by many names; they are listed here once, the
likelier name first. Names count without case, spaces and underscores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.data.gathering.generation import (
    Certainty,
    Generation,
    as_text,
    plain_key,
)
from prompt_ensemble.data.gathering.kinds import kinds_in_record

_PROMPTS = ("prompt", "positiveprompt", "p", "fullprompt", "textprompt", "rawprompt", "inputprompt")
_CAPTIONS = ("caption", "captions", "text", "txt", "description", "title", "alt", "sentence",
             "sentences")  # fmt: skip
_NEGATIVES = ("negativeprompt", "uc", "negative", "np")
_SEEDS = ("seed", "se", "noiseseed")
_SAMPLERS = ("sampler", "sa", "samplername", "comfyuisampler", "scheduler")
_MODELS = ("model", "modelname", "basemodel", "checkpoint", "generator", "sdmodelname")
_TOOLS = ("tool", "software", "app")
_IMAGES = ("image", "filename", "imagename", "imgpath", "imagepath", "path", "file", "imgid",
           "imageid", "id", "img", "name", "key")  # fmt: skip
_WITHIN = ("meta", "metadata", "parameters", "suiimageparams", "image", "generation", "task1")
"""Keys of an object in which a program's parameters lie."""


@dataclass(frozen=True)
class Columns:
    """Columns or keys that the user names; empty ones are found by their usual names."""

    image: str = ""
    prompt: str = ""


def read_prompt_record(
    record: Mapping[str, object], columns: Columns = Columns()
) -> Generation | None:
    """The prompt of a record and what stands with it."""
    for table in _tables(record):
        certainty: Certainty = "certain"
        prompt = _first(table, [plain_key(columns.prompt)] if columns.prompt else _PROMPTS)
        if not prompt and not columns.prompt:
            prompt, certainty = _first(table, _CAPTIONS), "likely"
        if any(letter.isalpha() for letter in prompt):
            return Generation(
                prompt=prompt,
                negative=_first(table, _NEGATIVES),
                seed=_first(table, _SEEDS),
                sampler=_first(table, _SAMPLERS),
                model=_first(table, _MODELS),
                tool=_first(table, _TOOLS),
                certainty=certainty,
                kinds=kinds_in_record(record),
            )
    return None


def image_of_record(record: Mapping[str, object], columns: Columns = Columns()) -> str:
    """The image that a record names; nothing if it names none."""
    return _first(_plain(record), [plain_key(columns.image)] if columns.image else _IMAGES)


def check_columns(there: Mapping[str, object], columns: Columns, where: str) -> None:
    """Complain about a column that the user names and a file lacks."""
    known = {plain_key(name) for name in there}
    for name in (columns.image, columns.prompt):
        if name and plain_key(name) not in known:
            raise BadConfig(
                f"{where} has the columns {', '.join(there)}, none named {name!r}; "
                "see --image-column and --prompt-column"
            )


def _tables(record: Mapping[str, object]) -> Iterator[dict[str, object]]:
    """The record itself, then the objects in which programs keep parameters."""
    table = _plain(record)
    yield table
    for name in _WITHIN:
        inner = table.get(name)
        if isinstance(inner, dict):
            yield _plain(inner)


def _plain(record: Mapping[str, object]) -> dict[str, object]:
    return {plain_key(str(key)): value for key, value in record.items()}


def _first(table: Mapping[str, object], names: tuple[str, ...] | list[str]) -> str:
    """The first of the names that has a text; of a list its first text, of a model its name."""
    for name in names:
        value = table.get(name)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, dict):
            value = value.get("name", value.get("model_name", value.get("raw")))
        text = as_text(value)
        if text:
            return text
    return ""
