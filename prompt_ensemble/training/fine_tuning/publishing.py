"""A fine-tuned captioner written as the one it came from was: same layout, other weights."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.members.captioners.blip import BlipPredictor, find_checkpoint
from prompt_ensemble.members.captioners.blip_checkpoint import authors_state
from prompt_ensemble.members.captioners.coca import CocaPredictor
from prompt_ensemble.members.captioners.tunable_captioner import TunableCaptioner
from prompt_ensemble.models import open_clip_folders
from prompt_ensemble.models.checkpoints import read_json

_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".index.json")
_GENERATION = "generation_config.json"
_CODE = (".py", ".pyc")
"""Never copied: no weights of ours bring code along."""


def publish(predictor: TunableCaptioner, model: Any, longest: int, folder: Path) -> None:
    """Write the network, and beside it all files of its origin that are no weights.

    From now on its captions may be ``longest`` tokens long, as the prompts were.
    """
    source = predictor.path
    folder.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        _copy_the_rest(source, folder)
    authors = find_checkpoint(source) if isinstance(predictor, BlipPredictor) else None
    if isinstance(predictor, CocaPredictor):
        name = open_clip_folders.find_checkpoint(source).name
        _write_state(model.state_dict(), folder / name)
    elif authors:
        _write_state({"model": authors_state(model, authors)}, folder / authors.name)
    else:
        model.save_pretrained(folder)
    file = folder / _GENERATION
    config = read_json(file) if file.is_file() else {}
    lengths = {"max_length": longest, "max_new_tokens": None}
    write_atomically(file, json.dumps({**config, **lengths}, indent=2) + "\n")


def _copy_the_rest(source: Path, folder: Path) -> None:
    """Tokenizer, preprocessing and whatever else describes the model."""
    for file in sorted(source.iterdir()):
        if file.is_file() and not file.name.endswith((*_WEIGHTS, *_CODE)):
            shutil.copyfile(file, folder / file.name)


def _write_state(state: Mapping[str, Any], file: Path) -> None:
    """Tensors in the format that the file's name says."""
    if file.suffix == ".safetensors":
        content = save({name: tensor.contiguous() for name, tensor in state.items()})
    else:
        buffer = io.BytesIO()
        torch.save(dict(state), buffer)
        content = buffer.getvalue()
    write_atomically(file, content)
