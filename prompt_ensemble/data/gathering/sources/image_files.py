"""The images of a folder or an archive, with what index files and sidecars say of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

from prompt_ensemble.core.errors import UnreadableImage
from prompt_ensemble.data.gathering.generation import json_object
from prompt_ensemble.data.gathering.sources.candidate import Candidate, SideInformation
from prompt_ensemble.data.gathering.sources.containers import Container, UnreadableMember
from prompt_ensemble.data.gathering.sources.index import Index
from prompt_ensemble.images.decode import MOST_BYTES
from prompt_ensemble.images.embedded_texts import MOST_CHARACTERS

_TEXT_SUFFIXES = (".txt", ".caption", ".prompt")
_JSON_SUFFIXES = (".json", ".swarm.json")


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """Images by name; of several indices the first that knows an image counts."""

    name: str
    container: Container
    images: Sequence[str]
    indices: Sequence[Index]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def fingerprint(self) -> str:
        """Of the container, and of which images are meant."""
        names = hashlib.sha256("\n".join(self.images).encode(errors="surrogateescape"))
        return f"{self.container.fingerprint()} {names.hexdigest()}"

    def candidates(self, first: int, last: int) -> Iterator[Candidate]:
        """Images from one place up to another."""
        for name in self.images[first:last]:
            yield Candidate(name, partial(self._read, name), partial(self._side_information, name))

    def _read(self, name: str) -> bytes:
        try:
            return self.container.read(name, MOST_BYTES)
        except UnreadableMember as error:
            raise UnreadableImage(f"{self.name}/{name}: {error}") from error

    def _side_information(self, name: str) -> SideInformation:
        found = next((found for index in self.indices if (found := index.find(name))), None)
        record, chosen = found or (None, False)
        if chosen:  # nothing else can count more
            return SideInformation(record, chosen)
        text = self._sidecar(name, _TEXT_SUFFIXES)
        object_ = json_object(self._sidecar(name, _JSON_SUFFIXES))
        return SideInformation(record, chosen, text, object_)

    def _sidecar(self, name: str, suffixes: Sequence[str]) -> str:
        """The text of the first file that is called as the image is; empty if none can be read."""
        stem = str(PurePosixPath(name).with_suffix(""))
        for sidecar in (start + suffix for start in (stem, name) for suffix in suffixes):
            if self.container.has(sidecar):
                try:
                    content = self.container.read(sidecar, MOST_CHARACTERS)
                except UnreadableMember:
                    continue
                return content.decode("utf-8-sig", "replace").strip()
        return ""
