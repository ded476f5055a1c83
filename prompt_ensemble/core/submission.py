"""submission.csv: writing six million rows in about a second, reading them back, checking them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings
from prompt_ensemble.core.errors import BadSubmission
from prompt_ensemble.core.files import atomic_file
from prompt_ensemble.core.records import reading

if TYPE_CHECKING:
    import pyarrow as pa

ID_COLUMN = "imgId_eId"
VALUE_COLUMN = "val"
IMAGES_PER_BLOCK = 512
SHOWN = 3
"""Offenders named for each kind of fault."""


@dataclass(frozen=True)
class Fault:
    """One kind of thing wrong with a submission: how often, and where first."""

    kind: str
    count: int
    first: tuple[str, ...]

    def __str__(self) -> str:
        more = ", …" if self.count > len(self.first) else ""
        return f"{self.count} {self.kind}: {', '.join(self.first)}{more}"


def write_submission(
    path: Path | str, predictions: Embeddings, image_ids: Sequence[str] | None = None
) -> None:
    """Write every row, streaming and atomically, in the order of ``image_ids`` (default: sorted).

    Floats are written as the shortest decimals that read back as exactly the same float32.
    """
    import pyarrow as pa
    from pyarrow import csv

    ordered = predictions.take(image_ids or sorted(predictions.image_ids))
    schema = pa.schema([(ID_COLUMN, pa.string()), (VALUE_COLUMN, pa.float32())])
    style = csv.WriteOptions(include_header=False, quoting_style=quoting(ordered.image_ids))
    with atomic_file(Path(path)) as file:
        file.write(f"{ID_COLUMN},{VALUE_COLUMN}\n".encode())
        for ids, vectors in blocks(ordered):
            columns = [row_names(ids), pa.array(vectors.reshape(-1))]
            csv.write_csv(pa.record_batch(columns, schema=schema), file, style)


def quoting(image_ids: Sequence[str]) -> str:
    """Arrow's quoting style: plain as Kaggle's own file, unless an id holds a special character."""
    special = any(mark in image_id for image_id in image_ids for mark in ',"\r\n')
    return "needed" if special else "none"


def blocks(predictions: Embeddings) -> Iterator[tuple[tuple[str, ...], np.ndarray]]:
    """Ids and vectors of a few hundred images at a time."""
    for start in range(0, len(predictions), IMAGES_PER_BLOCK):
        part = slice(start, start + IMAGES_PER_BLOCK)
        yield predictions.image_ids[part], predictions.vectors[part]


def row_names(image_ids: Sequence[str]) -> pa.Array:
    """``<id>_0 … <id>_383`` for each image."""
    import pyarrow as pa
    from pyarrow import compute

    numbers = np.arange(len(image_ids), dtype=np.int32)
    images = pa.array(image_ids, pa.string()).take(pa.array(np.repeat(numbers, EMBEDDING_WIDTH)))
    places = pa.array([f"_{place}" for place in range(EMBEDDING_WIDTH)])
    tiled = pa.concat_arrays([places] * len(image_ids)) if len(image_ids) else places[:0]
    return compute.binary_join_element_wise(images, tiled, "")


def read_rows(path: Path) -> tuple[pa.ChunkedArray, np.ndarray]:
    """Row names and float32 values of a submission file as they stand."""
    import pyarrow as pa
    from pyarrow import csv

    types = csv.ConvertOptions(column_types={ID_COLUMN: pa.string(), VALUE_COLUMN: pa.float32()})
    if not path.exists():
        raise BadSubmission(f"{path} is not there; 'prompt-ensemble predict' writes it")
    with reading(path, f"a table of '{ID_COLUMN},{VALUE_COLUMN}' rows", BadSubmission):
        table = csv.read_csv(path, convert_options=types)
        table.validate(full=True)
    if table.column_names != [ID_COLUMN, VALUE_COLUMN]:
        raise BadSubmission(
            f"{path} has the columns {table.column_names}; expected {[ID_COLUMN, VALUE_COLUMN]}"
        )
    return table[ID_COLUMN], table[VALUE_COLUMN].to_numpy()


def submission_ids(path: Path) -> tuple[str, ...]:
    """Image ids of a submission (or of sample_submission.csv) in its order."""
    names, _ = read_rows(path)
    firsts = names[::EMBEDDING_WIDTH].to_pylist()
    image_ids = tuple(name.rsplit("_", 1)[0] for name in firsts)
    if not names.combine_chunks().equals(row_names(image_ids)):
        raise BadSubmission(
            f"{path} is not made of blocks <id>_0 … <id>_{EMBEDDING_WIDTH - 1}; "
            "expected the competition's sample_submission.csv or a submission that passes 'check'"
        )
    return image_ids


def read_submission(path: Path) -> Embeddings:
    """A well-formed submission as embeddings, rows scaled to length one."""
    image_ids = submission_ids(path)
    _, values = read_rows(path)
    return Embeddings.of(image_ids, values.reshape(-1, EMBEDDING_WIDTH))


def check_submission(path: Path, image_ids: Sequence[str]) -> list[Fault]:
    """Everything wrong with a submission for these images in this order; empty if nothing is."""
    names, values = read_rows(path)
    expected = row_names(image_ids)
    faults = [] if names.combine_chunks().equals(expected) else name_faults(names, expected)
    return faults + value_faults(names, values)


def name_faults(names: pa.ChunkedArray, expected: pa.Array) -> list[Fault]:
    """What is wrong with the row names, found only when something is."""
    found: list[str] = names.to_pylist()
    wanted: list[str] = expected.to_pylist()
    found_set, wanted_set = set(found), set(wanted)
    missing = [name for name in wanted if name not in found_set]
    extra = [name for name in found if name not in wanted_set]
    faults = [
        fault("missing rows", missing),
        fault("missing images", image_names(missing, found_set)),
        fault("rows of no image or place", extra),
        fault("duplicate rows", repeated(found)),
    ]
    real = [found_fault for found_fault in faults if found_fault]
    if not real:
        moved = [name for name, want in zip(found, wanted, strict=True) if name != want]
        real = [Fault("rows out of order", len(moved), tuple(moved[:SHOWN]))]
    return real


def image_names(missing: Sequence[str], found: set[str]) -> list[str]:
    """Images of which every row is missing."""
    images = dict.fromkeys(name.rsplit("_", 1)[0] for name in missing)
    places = range(EMBEDDING_WIDTH)
    return [i for i in images if not any(f"{i}_{place}" in found for place in places)]


def repeated(names: Sequence[str]) -> list[str]:
    """Names that have stood before."""
    seen: set[str] = set()
    again = []
    for name in names:
        if name in seen:
            again.append(name)
        seen.add(name)
    return again


def value_faults(names: pa.ChunkedArray, values: np.ndarray) -> list[Fault]:
    """NaN and infinite values, and images whose rows are all zero."""
    broken = np.flatnonzero(~np.isfinite(values))
    faults = [fault("NaN or infinite values", broken, names)]
    if len(values) % EMBEDDING_WIDTH == 0:
        zero = np.flatnonzero(~values.reshape(-1, EMBEDDING_WIDTH).any(axis=1))
        faults.append(fault("images whose values are all 0", zero * EMBEDDING_WIDTH, names))
    return [found for found in faults if found]


def fault(
    kind: str, offenders: Sequence[str] | np.ndarray, names: pa.ChunkedArray | None = None
) -> Fault | None:
    """A fault if there is an offender; offenders are names, or numbers of rows that have them."""
    if not len(offenders):
        return None
    first = [offender if names is None else names[int(offender)] for offender in offenders[:SHOWN]]
    return Fault(kind, len(offenders), tuple(map(str, first)))
