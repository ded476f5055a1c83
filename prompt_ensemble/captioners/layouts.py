"""How captioners lie on the disk, so that a folder's files tell its kind."""

from __future__ import annotations

from pathlib import Path

from prompt_ensemble.weights import Layout, recognise

LAYOUTS = (
    Layout("ofa", ("config.json", "vocab.json", "merges.txt"), ("ofa",)),
    Layout("blip", ("config.json",), ("blip",)),
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


def captioner_kind(path: Path) -> str:
    """The registry's name for the captioner at ``path``."""
    return recognise(path, LAYOUTS)
