"""submission.csv: writing six million rows in about a second, reading them back, checking them.

What is read from a file can be given as a pandas table of the same two columns too, and what is
written can come from the table that ``Embeddings.to_frame`` makes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH, Embeddings
from prompt_ensemble.core.errors import BadSubmission
from prompt_ensemble.core.files import atomic_file
from prompt_ensemble.core.records import Source, name_of, reading

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ID_COLUMN = "imgId_eId"
_VALUE_COLUMN = "val"
IMAGES_PER_BLOCK = 512
SHOWN = 3
"""Offenders named for each kind of fault."""


@dataclass(frozen=True)
class _Fault:
    """One kind of thing wrong with a submission: how often, and where first."""

    kind: str
    count: int
    first: tuple[str, ...]

    def __str__(self) -> str:
        more = ", …" if self.count > len(self.first) else ""
        return f"{self.count} {self.kind}: {', '.join(self.first)}{more}"


def write_submission(
    path: Path | str,
    predictions: Embeddings | pd.DataFrame,
    image_ids: Sequence[str] | None = None,
) -> None:
    """Write every row, streaming and atomically, in the order of ``image_ids`` (default: sorted).

    Floats are written as the shortest decimals that read back as exactly the same float32.
    """
    from pyarrow import csv

    ordered = _in_order(predictions, image_ids)
    style = csv.WriteOptions(include_header=False, quoting_style=_quoting(ordered.image_ids))
    with atomic_file(Path(path)) as file:
        file.write(f"{ID_COLUMN},{_VALUE_COLUMN}\n".encode())
        for block in _blocks(ordered):
            csv.write_csv(_rows_of(block), file, style)


def submission_frame(
    predictions: Embeddings | pd.DataFrame, image_ids: Sequence[str] | None = None
) -> pd.DataFrame:
    """The rows that ``write_submission`` would write, as a table of two columns."""
    frame: pd.DataFrame = _rows_of(_in_order(predictions, image_ids)).to_pandas()
    return frame


def submission_ids(source: Source) -> tuple[str, ...]:
    """Image ids of a submission (or of sample_submission.csv) in its order."""
    return _ids_of(read_rows(source)[0], source)


def read_submission(source: Source) -> Embeddings:
    """A well-formed submission as embeddings, rows scaled to length one."""
    names, values = read_rows(source)
    return Embeddings.of(_ids_of(names, source), values.reshape(-1, EMBEDDING_WIDTH))


def check_submission(source: Source, image_ids: Sequence[str]) -> list[_Fault]:
    """Everything wrong with a submission for these images in this order; empty if nothing is."""
    names, values = read_rows(source)
    expected = row_names(image_ids)
    faults = [] if names.combine_chunks().equals(expected) else _name_faults(names, expected)
    return faults + _value_faults(names, values)


def _in_order(
    predictions: Embeddings | pd.DataFrame, image_ids: Sequence[str] | None
) -> Embeddings:
    """The predictions in the order in which their rows are wanted."""
    if not isinstance(predictions, Embeddings):
        predictions = Embeddings.from_frame(predictions)
    return predictions.take(image_ids or sorted(predictions.image_ids))


def _quoting(image_ids: Sequence[str]) -> str:
    """Arrow's quoting style: plain as Kaggle's own file, unless an id holds a special character."""
    special = any(mark in image_id for image_id in image_ids for mark in ',"\r\n')
    return "needed" if special else "none"


def _blocks(predictions: Embeddings) -> Iterator[Embeddings]:
    """A few hundred images at a time."""
    for start in range(0, len(predictions), IMAGES_PER_BLOCK):
        part = slice(start, start + IMAGES_PER_BLOCK)
        yield Embeddings(predictions.image_ids[part], predictions.vectors[part])


def _rows_of(predictions: Embeddings) -> pa.Table:
    """The rows of these images."""
    import pyarrow as pa

    columns = [row_names(predictions.image_ids), pa.array(predictions.vectors.reshape(-1))]
    return pa.table(columns, schema=_schema())


def row_names(image_ids: Sequence[str]) -> pa.Array:
    """``<id>_0 … <id>_383`` for each image."""
    import pyarrow as pa
    from pyarrow import compute

    numbers = np.arange(len(image_ids), dtype=np.int32)
    images = pa.array(image_ids, pa.string()).take(pa.array(np.repeat(numbers, EMBEDDING_WIDTH)))
    places = pa.array([f"_{place}" for place in range(EMBEDDING_WIDTH)])
    tiled = pa.concat_arrays([places] * len(image_ids)) if len(image_ids) else places[:0]
    return compute.binary_join_element_wise(images, tiled, "")


def _schema() -> pa.Schema:
    """The two columns."""
    import pyarrow as pa

    return pa.schema([(ID_COLUMN, pa.string()), (_VALUE_COLUMN, pa.float32())])


def read_rows(source: Source) -> tuple[pa.ChunkedArray, np.ndarray]:
    """Row names and float32 values of a submission as they are."""
    import pyarrow as pa
    from pyarrow import csv

    source = Path(source) if isinstance(source, str) else source
    if isinstance(source, Path) and not source.exists():
        raise BadSubmission(f"{source} is not there; 'prompt-ensemble predict' writes it")
    wanted = f"a table of '{ID_COLUMN},{_VALUE_COLUMN}' rows"
    with reading(source if isinstance(source, Path) else name_of(source), wanted, BadSubmission):
        if isinstance(source, Path):
            types = csv.ConvertOptions(column_types=_schema())
            table = csv.read_csv(source, convert_options=types)
        else:
            table = pa.Table.from_pandas(source, preserve_index=False)
        if table.column_names != [ID_COLUMN, _VALUE_COLUMN]:
            raise BadSubmission(
                f"{name_of(source)} has the columns {table.column_names}; "
                f"expected {[ID_COLUMN, _VALUE_COLUMN]}"
            )
        table = table.cast(_schema())
        table.validate(full=True)
    return table[ID_COLUMN], table[_VALUE_COLUMN].to_numpy()


def _ids_of(names: pa.ChunkedArray, source: Source) -> tuple[str, ...]:
    """The images of whole blocks of rows, or an error."""
    firsts = names[::EMBEDDING_WIDTH].to_pylist()
    image_ids = tuple(name.rsplit("_", 1)[0] for name in firsts)
    if not names.combine_chunks().equals(row_names(image_ids)):
        raise BadSubmission(
            f"{name_of(source)} is not made of blocks <id>_0 … <id>_{EMBEDDING_WIDTH - 1}; "
            "expected the competition's sample_submission.csv or a submission that passes 'check'"
        )
    return image_ids


def _name_faults(names: pa.ChunkedArray, expected: pa.Array) -> list[_Fault]:
    """What is wrong with the row names, looked for only when something is."""
    there: list[str] = names.to_pylist()
    wanted: list[str] = expected.to_pylist()
    there_set, wanted_set = set(there), set(wanted)
    missing = [name for name in wanted if name not in there_set]
    extra = [name for name in there if name not in wanted_set]
    faults = [
        _fault("missing rows", missing),
        _fault("missing images", _missing_images(missing, there_set)),
        _fault("rows of no image or place", extra),
        _fault("duplicate rows", _repeated(there)),
    ]
    real = [fault for fault in faults if fault]
    if not real:
        moved = [name for name, want in zip(there, wanted, strict=True) if name != want]
        real = [_Fault("rows out of order", len(moved), tuple(moved[:SHOWN]))]
    return real


def _missing_images(missing: Sequence[str], there: set[str]) -> list[str]:
    """Images of which every row is missing."""
    images = dict.fromkeys(name.rsplit("_", 1)[0] for name in missing)
    places = range(EMBEDDING_WIDTH)
    return [i for i in images if not any(f"{i}_{place}" in there for place in places)]


def _repeated(names: Sequence[str]) -> list[str]:
    """Names that came before, once for each time they come again."""
    seen: set[str] = set()
    again = []
    for name in names:
        if name in seen:
            again.append(name)
        seen.add(name)
    return again


def _value_faults(names: pa.ChunkedArray, values: np.ndarray) -> list[_Fault]:
    """NaN and infinite values, and images whose rows are all zero."""
    broken = np.flatnonzero(~np.isfinite(values))
    faults = [_fault("NaN or infinite values", broken, names)]
    if len(values) % EMBEDDING_WIDTH == 0:
        zero = np.flatnonzero(~values.reshape(-1, EMBEDDING_WIDTH).any(axis=1))
        faults.append(_fault("images whose values are all 0", zero * EMBEDDING_WIDTH, names))
    return [fault for fault in faults if fault]


def _fault(
    kind: str, offenders: Sequence[str] | np.ndarray, names: pa.ChunkedArray | None = None
) -> _Fault | None:
    """A fault if there is an offender; offenders are names, or numbers of rows that have them."""
    if not len(offenders):
        return None
    first = [offender if names is None else names[int(offender)] for offender in offenders[:SHOWN]]
    return _Fault(kind, len(offenders), tuple(map(str, first)))
