"""The third part: kept pictures into shards of equal numbers, as files or as WebDataset tars."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from prompt_ensemble.core.files import file_digest
from prompt_ensemble.data.gathering.row import Row
from prompt_ensemble.data.gathering.tar_writing import write_tar
from prompt_ensemble.images.decode import read_image


@dataclass(frozen=True)
class Kept:
    """A row that is a pair, its number among them, and where its picture lies for now."""

    number: int
    row: Row
    picture: Path

    @property
    def key(self) -> str:
        """What its files are called, without suffix; its id in tables."""
        return f"{self.number:09}"

    @property
    def file(self) -> str:
        """What its picture is called."""
        return self.key + self.picture.suffix


class ShardWriter(Protocol):
    """How shards lie in the output folder."""

    def path(self, shard: int) -> str:
        """Where a shard lies, from the output folder on; images are below that path."""

    def write(self, out: Path, shard: int, kept: Sequence[Kept]) -> None:
        """A shard, whole or absent."""

    def digest(self, out: Path, shard: int) -> str:
        """SHA-256 of all that is in it."""


class FileShards:
    """Folders of images."""

    def path(self, shard: int) -> str:
        """A folder, since a million files in one are slow to list."""
        return f"images/{shard:05}"

    def write(self, out: Path, shard: int, kept: Sequence[Kept]) -> None:
        """Written under another name and then renamed, so that its name means that it is whole."""
        final = out / self.path(shard)
        part = final.with_name(f".{final.name}.{os.getpid()}.tmp")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        for one in kept:
            (part / one.file).write_bytes(read_image(one.picture))
        part.rename(final)

    def digest(self, out: Path, shard: int) -> str:
        """Of the names and digests of its files."""
        digest = hashlib.sha256()
        for file in sorted((out / self.path(shard)).iterdir()):
            digest.update(f"{file.name} {file_digest(file)}\n".encode())
        return digest.hexdigest()


class WebDatasetShards:
    """Tar archives of picture, prompt and all else that is known, under one key each."""

    def path(self, shard: int) -> str:
        """A tar archive."""
        return f"shards/{shard:05}.tar"

    def write(self, out: Path, shard: int, kept: Sequence[Kept]) -> None:
        """``KEY.jpg``, ``KEY.json`` and ``KEY.txt``, which is what WebDataset's readers expect."""
        write_tar(
            out / self.path(shard),
            (
                member
                for one in kept
                for member in (
                    (one.file, read_image(one.picture)),
                    (f"{one.key}.json", json.dumps(facts(one.row), ensure_ascii=False).encode()),
                    (f"{one.key}.txt", one.row.prompt.encode()),
                )
            ),
        )

    def digest(self, out: Path, shard: int) -> str:
        """Of the archive."""
        return file_digest(out / self.path(shard))


SHARD_WRITERS: dict[str, ShardWriter] = {"files": FileShards(), "webdataset": WebDatasetShards()}


def facts(row: Row) -> dict[str, object]:
    """What a listing says of a pair, without what is empty."""
    names = ("prompt", "original", "negative", "seed", "sampler", "model", "tool", "certainty",
             "kinds", "language", "unsafe", "source", "name", "width", "height")  # fmt: skip
    found = {name: getattr(row, name) for name in names}
    return {name: value for name, value in found.items() if value != ""}
