"""What the index files of a source say, by image; on the disk, for there may be millions."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from prompt_ensemble.data.gathering.prompt_records import Columns, image_of_record
from prompt_ensemble.data.gathering.sources.candidate import Record
from prompt_ensemble.data.gathering.sources.containers import is_inside
from prompt_ensemble.images.find import is_image_name

_TABLE = """
PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;
CREATE TABLE rows (
    scope INTEGER, path TEXT, base TEXT, stem TEXT, chosen INTEGER, record TEXT,
    PRIMARY KEY (scope, path)
);
CREATE INDEX by_base ON rows (scope, base);
CREATE INDEX by_stem ON rows (scope, stem);
"""
_INSERT = "INSERT OR IGNORE INTO rows VALUES (?, ?, ?, ?, ?, ?)"
_LOOKUPS = tuple(
    f"SELECT record, chosen FROM rows WHERE scope = ? AND {column} = ? LIMIT 2"
    for column in ("path", "base", "stem")
)


class IndexFile:
    """Rows of many indices in one file: a set may have thousands of archives, each with its own."""

    def __init__(self, file: Path) -> None:
        """A new file; whatever was there is gone, for every run reads the indices again."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        self.rows = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self.rows.executescript(_TABLE)
        self.lock = threading.Lock()
        self._indices = 0

    def new(self) -> Index:
        """An empty index."""
        self._indices += 1
        return Index(self, self._indices)


class Index:
    """Records by the path, the name, or the name without suffix of their image."""

    def __init__(self, file: IndexFile, scope: int) -> None:
        self._file = file
        self._scope = scope
        self.count = 0

    def add(
        self, records: Iterator[Record], folder: str, columns: Columns, *, chosen: bool = False
    ) -> None:
        """Records whose images are named from ``folder`` on; the first of an image counts."""
        rows = (_row(record, folder, columns, chosen) for record in records)
        with self._file.lock:
            self._file.rows.execute("BEGIN")
            try:
                scoped = ((self._scope, *row) for row in rows if row)
                self._file.rows.executemany(_INSERT, scoped)
            finally:  # what was read of a damaged file up to its fault is kept
                self._file.rows.execute("COMMIT")
                counted = "SELECT COUNT(*) FROM rows WHERE scope = ?"
                (self.count,) = self._file.rows.execute(counted, (self._scope,)).fetchone()

    def find(self, name: str) -> tuple[Record, bool] | None:
        """The record of an image and whether the user chose its index; none if two might be it."""
        if not self.count:
            return None
        path = PurePosixPath(name.encode(errors="replace").decode())
        for lookup, key in zip(_LOOKUPS, (path.as_posix(), path.name, path.stem), strict=True):
            with self._file.lock:
                found = self._file.rows.execute(lookup, (self._scope, key)).fetchall()
            if len(found) == 1:
                return json.loads(found[0][0]), bool(found[0][1])
        return None

    def paths(self) -> list[str]:
        """The paths of all images that are named, in order."""
        lookup = "SELECT path FROM rows WHERE scope = ? ORDER BY path"
        return [path for (path,) in self._file.rows.execute(lookup, (self._scope,))]


def _row(record: Record, folder: str, columns: Columns, chosen: bool) -> tuple | None:
    """A row of the table; none for a record that names no image."""
    name = image_of_record(record, columns).replace("\\", "/").removeprefix("./")
    if not name or "://" in name or not is_inside(name):
        return None
    path = PurePosixPath(folder, name)
    # A name without an image's suffix is an id, dots and all.
    stem = path.stem if is_image_name(path.name) else path.name
    text = json.dumps(record, ensure_ascii=True, default=lambda value: None)
    return (path.as_posix(), path.name, stem, int(chosen), text)
