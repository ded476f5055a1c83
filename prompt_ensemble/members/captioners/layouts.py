"""How captioners lie on the disk, so that a folder's files tell its kind."""

from __future__ import annotations

from pathlib import Path

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.members.captioners.caption_predictor import CaptionPredictor
from prompt_ensemble.members.registry import predictor_class
from prompt_ensemble.models.weights import Layout, WeightRoots, fits, recognise, walk

LAYOUTS = (
    Layout("captioner", ("captioner.json", "captioner.safetensors")),
    Layout("ofa", ("config.json", "vocab.json", "merges.txt"), ("ofa",)),
    Layout("blip", ("config.json",), ("blip",)),
    Layout("blip2", ("config.json",), ("blip-2",)),
    Layout("florence2", ("config.json",), ("florence2",)),
    Layout("git", ("config.json",), ("git",)),
    Layout("encoder-decoder", ("config.json",), ("vision-encoder-decoder",)),
    Layout("coca", ("open_clip_config.json",)),
    Layout("blip", ("model_*caption*.pth",)),
    Layout("ofa", ("*caption*.pt",)),
    Layout("coca", ("*[Cc]o[Cc]a*.bin",)),
    Layout("coca", ("*[Cc]o[Cc]a*.pt",)),
    Layout("coca", ("*[Cc]o[Cc]a*.safetensors",)),
)
"""First fit wins: transformers' folders, open_clip's folders, then single files."""
KINDS = tuple(dict.fromkeys(layout.kind for layout in LAYOUTS))
"""Captioners' names in the registry."""


def captioner_kind(path: Path) -> str:
    """The registry's name for the captioner at ``path``."""
    return recognise(path, LAYOUTS)


def find_captioner(name: str, roots: WeightRoots) -> tuple[str, Path]:
    """Kind and place of a captioner asked for by its kind, its folder's name or its path."""
    if name in KINDS:
        return name, _find_kind(name, roots)
    named = (folder / name for folder in folders(roots) if (folder / name).exists())
    path = (next(named, None) or roots.find(name).path).absolute()
    return captioner_kind(path), path


def _find_kind(kind: str, roots: WeightRoots) -> Path:
    """The kind's usual weights, or else the only folder of that kind."""
    predictor = predictor_class(kind)
    assert issubclass(predictor, CaptionPredictor)
    found = [folder.absolute() for folder in folders(roots) if _is_of(kind, folder)]
    usual = [folder for folder in found if folder.name == predictor.default_weights]
    if not found:
        return roots.find(predictor.default_weights).path.absolute()
    if len(found) > 1 and not usual:
        raise BadConfig(
            f"several folders hold a captioner of kind {kind!r}: "
            f"{', '.join(map(str, found))}; give --model the name of one"
        )
    return (usual or found)[0]


def folders(roots: WeightRoots) -> list[Path]:
    """All folders below the roots, each once, nearest first."""
    return list(dict.fromkeys(folder for root in roots.folders for folder in walk(root)))


def _is_of(kind: str, path: Path) -> bool:
    """Whether a captioner of this kind lies at ``path``."""
    return any(fits(path, layout) for layout in LAYOUTS if layout.kind == kind)
