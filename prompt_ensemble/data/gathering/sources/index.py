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
CREATE TABLE rows (path TEXT PRIMARY KEY, base TEXT, stem TEXT, chosen INTEGER, record TEXT);
"""
_LOOKUPS = ("path = ?", "base = ?", "stem = ?")


class Index:
    """Records by the path, the name, or the name without suffix of their image."""

    def __init__(self, file: Path) -> None:
        """A new index; whatever was in the file is gone."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        # It is made anew by every run, so nothing of it need survive a crash.
        self._rows = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._rows.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;" + _TABLE)
        self._lock = threading.Lock()
        self._searchable = False
        self.count = 0

    def add(
        self, records: Iterator[Record], folder: str, columns: Columns, *, chosen: bool = False
    ) -> None:
        """Records whose images are named from ``folder`` on; the first of an image counts."""
        self._rows.execute("BEGIN")
        try:
            rows = (_row(record, folder, columns, chosen) for record in records)
            self._rows.executemany(
                "INSERT OR IGNORE INTO rows VALUES (?, ?, ?, ?, ?)", (row for row in rows if row)
            )
        finally:  # what was read of a damaged file up to its fault is kept
            self._rows.execute("COMMIT")
        self._searchable = False
        (self.count,) = self._rows.execute("SELECT COUNT(*) FROM rows").fetchone()

    def find(self, name: str) -> tuple[Record, bool] | None:
        """The record of an image and whether the user chose its index; none if two might be it."""
        with self._lock:
            return self._find(name) if self.count else None

    def _find(self, name: str) -> tuple[Record, bool] | None:
        self._prepare()
        path = PurePosixPath(name)
        for condition, key in zip(_LOOKUPS, (name, path.name, path.stem), strict=True):
            found = self._rows.execute(
                f"SELECT record, chosen FROM rows WHERE {condition} LIMIT 2",
                (key,),
            ).fetchall()
            if len(found) == 1:
                return json.loads(found[0][0]), bool(found[0][1])
        return None

    def paths(self) -> list[str]:
        """The paths of all images that are named, in order."""
        return [path for (path,) in self._rows.execute("SELECT path FROM rows ORDER BY path")]

    def _prepare(self) -> None:
        if not self._searchable:
            self._rows.execute("CREATE INDEX IF NOT EXISTS by_base ON rows (base)")
            self._rows.execute("CREATE INDEX IF NOT EXISTS by_stem ON rows (stem)")
            self._searchable = True


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
