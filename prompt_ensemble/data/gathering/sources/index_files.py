"""Index files: CSV, JSON, JSON lines, Markdown and Parquet that name images and their prompts.

Each yields records as it finds them; what a record means, ``prompt_records`` knows.
"""

from __future__ import annotations

import csv
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO, Any

from prompt_ensemble.core.records import MOST_RECORD_BYTES, as_object, parse_json, reading
from prompt_ensemble.data.gathering.sources.candidate import Record
from prompt_ensemble.data.gathering.sources.containers import Container, UnreadableMember

SUFFIXES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".md", ".parquet")
_IMAGE = "image"
_PROMPT = "prompt"
_CAPTION = "caption"
_PICTURE = re.compile(r"!\[([^\]]*)\]\(\s*<?([^)\s>]+)>?[^)]*\)")
_LINK = re.compile(r"\[([^\]]*)\]\(\s*<?([^)\s>]+)>?[^)]*\)")
_FEWEST_WORDS = 3
_LONGEST_LINE = 16 * 2**20
_RULE = re.compile(r"^[\s|:-]+$")


def read_index_file(container: Container, name: str) -> Iterator[Record]:
    """The records of an index file, or ``BadConfig``; tables are read as a stream."""
    where = f"{container.path}/{name}"
    read = _READERS[PurePosixPath(name).suffix.lower()]
    with reading(where, "an index of images and prompts"), _opened(container, name) as file:
        yield from read(file)


@contextmanager
def _opened(container: Container, name: str) -> Iterator[IO[bytes]]:
    """The file as a stream; what an archive says of a damaged one is a fault like others."""
    try:
        with container.open(name) as file:
            yield file
    except (UnreadableMember, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        raise ValueError(str(error)) from error


def _whole(file: IO[bytes]) -> bytes:
    """All of a file that cannot be read as a stream."""
    content = file.read(MOST_RECORD_BYTES + 1)
    if len(content) > MOST_RECORD_BYTES:
        raise ValueError(f"more than {MOST_RECORD_BYTES >> 20} MiB; JSON lines may be longer")
    return content.removeprefix(b"\xef\xbb\xbf")


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """Line after line, none without end."""
    while line := file.readline(_LONGEST_LINE + 1):
        if len(line) > _LONGEST_LINE:
            raise ValueError(f"a line is longer than {_LONGEST_LINE >> 20} MiB")
        yield line


def _of_table(file: IO[bytes], delimiter: str = ",") -> Iterator[Record]:
    lines = (line.decode("utf-8-sig") for line in _lines(file))
    for row in csv.DictReader(lines, delimiter=delimiter):
        yield {
            name: cell
            for name, cell in row.items()
            if isinstance(name, str) and isinstance(cell, str)
        }


def _of_tabs(file: IO[bytes]) -> Iterator[Record]:
    return _of_table(file, "\t")


def _of_json_lines(file: IO[bytes]) -> Iterator[Record]:
    for line in _lines(file):
        if line.strip():
            yield as_object(parse_json(line))


def _of_json(file: IO[bytes]) -> Iterator[Record]:
    """A list of objects, COCO's captions, or objects and texts by image as DiffusionDB has them."""
    value = parse_json(_whole(file))
    if isinstance(value, list):
        yield from (row for row in value if isinstance(row, dict))
    elif isinstance(value, dict) and {"images", "annotations"} <= value.keys():
        yield from _of_coco(value)
    elif isinstance(value, dict):
        yield from _of_mapping(value)


def _of_coco(value: Mapping[str, Any]) -> Iterator[Record]:
    """The captions of each image, in the order of the annotations."""
    captions: dict[object, list[str]] = {}
    for annotation in value["annotations"]:
        captions.setdefault(annotation["image_id"], []).append(str(annotation[_CAPTION]))
    for image in value["images"]:
        if image["id"] in captions:
            yield {_IMAGE: image["file_name"], _CAPTION: captions[image["id"]]}


def _of_mapping(value: Mapping[str, Any]) -> Iterator[Record]:
    for name, row in value.items():
        if isinstance(row, dict):
            yield {**row, _IMAGE: name}
        elif isinstance(row, str):
            yield {_IMAGE: name, _PROMPT: row}
        elif isinstance(row, list):
            yield from (inner for inner in row if isinstance(inner, dict))


def _of_markdown(file: IO[bytes]) -> Iterator[Record]:
    """Rows of tables that name a column for prompts, and pictures with a description."""
    header: list[str] = []
    for line in _whole(file).decode("utf-8", "replace").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if "|" not in line:
            header = []
        elif not header:
            header = [cell.lower() for cell in cells]
        elif not _RULE.match(line) and any(_PROMPT in name for name in header):
            yield from _of_markdown_row(dict(zip(header, cells, strict=False)))
            continue
        for alt, address in _PICTURE.findall(line):
            if len(alt.split()) >= _FEWEST_WORDS:
                yield {_IMAGE: address, _CAPTION: alt}


def _of_markdown_row(row: Mapping[str, str]) -> Iterator[Record]:
    """The prompt of a row for each picture or link in it."""
    prompt = next(cell for name, cell in row.items() if _PROMPT in name and "neg" not in name)
    for cell in row.values():
        found = _PICTURE.findall(cell) or _LINK.findall(cell)
        yield from ({_IMAGE: address, _PROMPT: prompt.strip("`")} for _, address in found)


def _of_parquet(file: IO[bytes]) -> Iterator[Record]:
    import pyarrow.parquet

    table = pyarrow.parquet.ParquetFile(file)
    for batch in table.iter_batches(4096):
        yield from batch.to_pylist()


_READERS: dict[str, Callable[[IO[bytes]], Iterator[Record]]] = {
    ".csv": _of_table, ".tsv": _of_tabs, ".json": _of_json, ".jsonl": _of_json_lines,
    ".ndjson": _of_json_lines, ".md": _of_markdown, ".parquet": _of_parquet,
}  # fmt: skip
