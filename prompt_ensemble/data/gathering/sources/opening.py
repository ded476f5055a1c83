"""What a user names as sources: folders, archives, tables, index files, sets of a hub."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path, PurePosixPath

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.data.gathering.prompt_records import Columns, check_columns
from prompt_ensemble.data.gathering.sources.candidate import Source
from prompt_ensemble.data.gathering.sources.containers import (
    PACKED_TARS,
    TARS,
    ZIPS,
    Container,
    Folder,
    open_container,
)
from prompt_ensemble.data.gathering.sources.hub import HUB, fetched_set
from prompt_ensemble.data.gathering.sources.image_files import ImageFiles
from prompt_ensemble.data.gathering.sources.index import Index, IndexFile
from prompt_ensemble.data.gathering.sources.index_files import SUFFIXES, read_index_file
from prompt_ensemble.data.gathering.sources.tables import open_image_rows
from prompt_ensemble.images.find import is_image_name

_TABLES = (".parquet", ".arrow")
_ARCHIVES = (*ZIPS, *TARS, *PACKED_TARS)


@dataclass
class Opened:
    """Sources in order, and files that could not be used, with the reason."""

    sources: list[Source] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


class SourceOpener:
    """Opens sources; keeps indices and unpacked archives in a folder of ours."""

    def __init__(self, work: Path, columns: Columns, indices: Sequence[Path]) -> None:
        self._work = work
        self._columns = columns
        self._rows = IndexFile(work / "index.sqlite")
        self._chosen = [self._chosen_index(path) for path in indices]
        self.opened = Opened()

    def open_all(self, sources: Sequence[str]) -> Opened:
        """Everything that is named, or one line about what cannot be used at all."""
        for source, name in zip(sources, _names(sources), strict=True):
            path = fetched_set(source.removeprefix(HUB)) if source.startswith(HUB) else Path(source)
            before = len(self.opened.sources)
            self._open(path, name)
            if not any(len(found) for found in self.opened.sources[before:]):
                raise BadConfig(
                    f"{source} holds no images; expected a folder, .zip, .tar, .tar.gz, .parquet "
                    "or .arrow with images in it, or an index (.csv, .json, .jsonl, .md) beside its"
                )
        return self.opened

    def _open(self, path: Path, name: str) -> None:
        lower = path.name.lower()
        if not path.exists():
            raise BadConfig(f"{path} is not there; expected a folder, an archive or an index file")
        if path.is_dir():
            self._open_folder(path, name)
        elif lower.endswith(_ARCHIVES):
            self._open_archive(path, name, ())
        elif path.suffix.lower() in _TABLES and self._open_table(path, name):
            return
        elif path.suffix.lower() in SUFFIXES:
            self._open_listing(path, name)
        else:
            raise BadConfig(
                f"{path} is none of {', '.join((*_ARCHIVES, *_TABLES, *SUFFIXES))}; "
                "name the folder that it lies in"
            )

    def _open_folder(self, path: Path, name: str) -> None:
        """The images of a folder, then every archive and table in it."""
        folder = open_container(path, self._work)
        tables = [inner for inner in folder.names if inner.lower().endswith(_TABLES)]
        archives = [inner for inner in folder.names if inner.lower().endswith(_ARCHIVES)]
        listings = []
        for inner in tables:
            with self._going_on():
                if not self._open_table(path / inner, f"{name}/{inner}"):
                    listings.append(inner)
        index = self._index_of(folder, {*tables} - {*listings})
        self._add_images(folder, name, [index])
        for inner in archives:
            with self._going_on():
                self._open_archive(path / inner, f"{name}/{inner}", (index,))

    def _open_archive(self, path: Path, name: str, outer: Sequence[Index]) -> None:
        """The images of an archive; an index outside may name them, too."""
        container = open_container(path, self._work)
        self._add_images(container, name, [self._index_of(container, ()), *outer])

    def _open_table(self, path: Path, name: str) -> bool:
        """The images in a table; false if it holds none and may be an index."""
        rows = open_image_rows(path, name)
        if rows:
            self.opened.sources.append(rows)
        return rows is not None

    def _open_listing(self, path: Path, name: str) -> None:
        """The images that an index file names, from its folder on."""
        container, index = _ListedFiles(path.parent), self._chosen_index(path)
        there = [image for image in index.paths() if container.has(image)]
        absent = index.count - len(there)
        if absent:
            self.opened.problems.append(f"{path}: {absent} images that it names are not beside it")
        self.opened.sources.append(ImageFiles(name, container, there, [*self._chosen, index]))

    def _add_images(self, container: Container, name: str, indices: Sequence[Index]) -> None:
        images = [inner for inner in container.names if is_image_name(PurePosixPath(inner).name)]
        if images:
            found = ImageFiles(name, container, images, [*self._chosen, *indices])
            self.opened.sources.append(found)

    def _index_of(self, container: Container, without: Iterable[str]) -> Index:
        """Everything that the index files of a container say; a broken one costs itself only."""
        index = self._rows.new()
        for name in _index_names(container, set(without)):
            with self._going_on():
                folder = PurePosixPath(name).parent.as_posix().removeprefix(".")
                index.add(read_index_file(container, name), folder, self._columns)
        return index

    def _chosen_index(self, path: Path) -> Index:
        """An index that the user names; whatever is wrong with it ends the run."""
        if path.suffix.lower() not in SUFFIXES:
            raise BadConfig(f"{path} is no index; expected one of {', '.join(SUFFIXES)}")
        index = self._rows.new()
        records = read_index_file(_ListedFiles(path.parent), path.name)
        first = next(records, None)
        if first is not None:
            check_columns(first, self._columns, str(path))
            index.add(chain([first], records), "", self._columns, chosen=True)
        return index

    @contextmanager
    def _going_on(self) -> Iterator[None]:
        """A file of many that cannot be opened is named, and the others go on."""
        try:
            yield
        except BadConfig as error:
            self.opened.problems.append(str(error))


class _ListedFiles(Folder):
    """A folder of which only files that are named are looked at, however many lie in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.names = []


def _index_names(container: Container, without: set[str]) -> Iterator[str]:
    """Index files; JSON that is called as an image beside it is that image's own."""
    paths = [PurePosixPath(name) for name in container.names]
    images = {str(path.with_suffix("")) for path in paths if is_image_name(path.name)}
    for name, path in zip(container.names, paths, strict=True):
        suffix = path.suffix.lower()
        stem = str(path.with_suffix("")).removesuffix(".swarm")
        is_sidecar = suffix == ".json" and stem in images
        if suffix in SUFFIXES and name not in without and not is_sidecar:
            yield name


def _names(sources: Sequence[str]) -> list[str]:
    """What sources are called: their last part, or all that is given where two would be one."""
    short = [Path(source.removeprefix(HUB)).name or source for source in sources]
    return [
        name if short.count(name) == 1 else source
        for name, source in zip(short, sources, strict=True)
    ]
