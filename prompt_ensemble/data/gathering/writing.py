"""The third part: shards, the listing, the table of prompts and the table of all rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow
import pyarrow.parquet

from prompt_ensemble.core.files import atomic_file
from prompt_ensemble.core.progress import Progress
from prompt_ensemble.data.gathering.generation import TIERS
from prompt_ensemble.data.gathering.judging import Judgement
from prompt_ensemble.data.gathering.options import GatherOptions
from prompt_ensemble.data.gathering.row import SCHEMA, Row, read_rows, table_of
from prompt_ensemble.data.gathering.shards import SHARD_WRITERS, Kept, facts
from prompt_ensemble.data.gathering.statistics import Statistics
from prompt_ensemble.data.gathering.steps import Step

LISTING = "pairs.jsonl"
PROMPTS = "prompts.csv"
TABLE = "table.parquet"
_SCHEMA = SCHEMA.append(pyarrow.field("image", pyarrow.string())).append(
    pyarrow.field("near_duplicate_of", pyarrow.int64())
)


@dataclass
class _PendingShard:
    """Pairs that wait until they fill a shard, and steps whose pictures are still needed."""

    out: Path
    options: GatherOptions
    waiting: list[Kept] = field(default_factory=list)
    read: list[Step] = field(default_factory=list)
    shards: int = 0

    def add(self, kept: Kept) -> None:
        """One more pair."""
        self.waiting.append(kept)
        if len(self.waiting) == self.options.rows_per_shard:
            self.flush()

    def flush(self) -> None:
        """Write the shard unless it is there, and give up pictures that no later one needs."""
        if self.waiting:
            writer = SHARD_WRITERS[self.options.layout]
            if not (self.out / writer.path(self.shards)).exists():
                writer.write(self.out, self.shards, self.waiting)
            self.shards += 1
            self.waiting.clear()
        for step in self.read:
            step.pictures.unlink(missing_ok=True)
        self.read.clear()


def write_set(
    steps: Sequence[Step], judgement: Judgement, options: GatherOptions, out: Path,
    progress: Progress,
) -> tuple[Statistics, int]:  # fmt: skip
    """Everything but the manifest and the page; the statistics and the number of shards."""
    found = Statistics(near_images=judgement.images, repeated_prompts=judgement.prompts)
    pending = _PendingShard(out, options)
    with ExitStack() as files:
        tables = _Tables.open(out, files)
        advance = files.enter_context(progress("writing", len(judgement.dropped)))
        start = 0
        for step in steps:
            rows = _judged(read_rows(step.rows), judgement, start)
            images = []
            for place, row in enumerate(rows):
                kept = Kept(found.kept, row, step.picture(place, row.suffix))
                images.append("" if row.left_out else _image_path(kept, options))
                if not row.left_out:
                    tables.add_pair(kept, images[-1])
                    pending.add(kept)
                found.add(row)
            tables.add_rows(rows, images, judgement.near_duplicate_of[start : start + len(rows)])
            pending.read.append(step)
            start += len(rows)
            advance(len(rows))
        pending.flush()
    return found, pending.shards


@dataclass(frozen=True)
class _Tables:
    """The listing, the table of prompts and the table of all rows, while they are written."""

    listing: BinaryIO
    prompts: BinaryIO
    table: Any

    @classmethod
    def open(cls, out: Path, files: ExitStack) -> _Tables:
        """All three; they appear when ``files`` closes."""
        listing, prompts, table = (
            files.enter_context(atomic_file(out / name)) for name in (LISTING, PROMPTS, TABLE)
        )
        writer = pyarrow.parquet.ParquetWriter(table, _SCHEMA, compression="zstd")
        prompts.write(_csv("imgId", "prompt", "source"))
        return cls(listing, prompts, files.enter_context(writer))

    def add_pair(self, kept: Kept, image: str) -> None:
        """A pair as ``train`` reads it, and as ``evaluate`` does."""
        row = kept.row
        pair = {"image": image, **facts(row), "tier": _tier(row)}
        self.listing.write(json.dumps(pair, ensure_ascii=False).encode() + b"\n")
        self.prompts.write(_csv(kept.key, row.prompt, row.source))

    def add_rows(self, rows: list[Row], images: list[str], near: np.ndarray) -> None:
        """Rows with the image that they became, and the row that they are like."""
        table = table_of(rows).append_column("image", pyarrow.array(images, pyarrow.string()))
        self.table.write_table(
            table.append_column("near_duplicate_of", pyarrow.array(near, pyarrow.int64()))
        )


def _judged(rows: Sequence[Row], judgement: Judgement, start: int) -> list[Row]:
    """The rows with what the judgement says of them."""
    return [
        replace(row, left_out=reason) if (reason := judgement.reason(start + place)) else row
        for place, row in enumerate(rows)
    ]


def _image_path(kept: Kept, options: GatherOptions) -> str:
    """Where a picture will lie, from the listing on."""
    shard = SHARD_WRITERS[options.layout].path(kept.number // options.rows_per_shard)
    return f"{shard}/{kept.file}"


def _tier(row: Row) -> str:
    return next(tier for certainty, tier in TIERS.items() if certainty == row.certainty)


def _csv(*cells: str) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()
