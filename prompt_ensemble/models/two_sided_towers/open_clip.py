"""CLIP models of open_clip, by name, from a local checkpoint file or folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import normalize

from prompt_ensemble.core.errors import BadConfig, BadWeights, nearest_name
from prompt_ensemble.images.preprocessing import CLIP_MEAN, CLIP_STD, Preprocessing
from prompt_ensemble.models.checkpoints import load_state, load_strictly, read_json
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.folders import without_downloads
from prompt_ensemble.models.two_sided_towers.causal_text import (
    TEXTS_AT_ONCE,
    is_causal,
    read_tokens,
)
from prompt_ensemble.models.two_sided_towers.two_sided_tower import Tower

CONFIG = "open_clip_config.json"
CHECKPOINTS = ("open_clip_*.safetensors", "open_clip_*.bin", "*.safetensors", "*.bin", "*.pt")
"""Where a folder's tensors are looked for, in this order."""
NOT_TENSORS = ("input_resolution", "context_length", "vocab_size")
"""Numbers that OpenAI's checkpoints carry beside their tensors."""


@dataclass(frozen=True)
class Architecture:
    """What open_clip needs to build a model, and how the model wants its pictures."""

    model: Mapping[str, Any]
    pictures: Mapping[str, Any]


class OpenClipTower(Tower):
    """A loaded CLIP model, float32 weights; mixed precision is the caller's autocast."""

    def __init__(self, model: Any, recipe: Preprocessing, tokenize: Any, place: Placement) -> None:
        self.model = model.eval().to(place.device)
        self.recipe = recipe
        self.tokenize: Callable[[list[str]], torch.Tensor] = tokenize
        self.placement = place
        text = getattr(model, "text", model)
        self.causal_text = text if is_causal(text) else None

    def see(self, pixels: torch.Tensor) -> torch.Tensor:
        """The image tower."""
        with self.placement.autocast():
            seen = self.model.encode_image(self.recipe.normalise(pixels))
        return normalize(seen.float(), dim=-1)

    def read(self, texts: Sequence[str]) -> torch.Tensor:
        """The text tower, only as far as each text goes."""
        tokens = self.tokenize(list(texts)).to(self.placement.device)
        with torch.inference_mode(), self.placement.autocast():
            if self.causal_text is not None:
                rows = read_tokens(self.causal_text, tokens)
            else:
                rows = torch.cat([self.model.encode_text(t) for t in tokens.split(TEXTS_AT_ONCE)])
        return normalize(rows.float(), dim=-1)

    def is_full(self, text: str) -> bool:
        """Whether the last place of the context is taken; padding repeats that of an empty text."""
        longest, empty = self.tokenize([text, ""])
        return bool(longest[-1] != empty[-1])


def load_open_clip(path: Path, name: str, placement: Placement) -> OpenClipTower:
    """The model at ``path``; a folder's own config goes before the name's."""
    architecture = read_architecture(path, name)
    model = build(architecture.model)
    checkpoint = find_checkpoint(path)
    load_strictly(model, unwrapped(load_state(checkpoint), model), checkpoint)
    return OpenClipTower(model, recipe(architecture), tokenizer(path, architecture), placement)


def read_architecture(path: Path, name: str) -> Architecture:
    """From the folder's config, or from open_clip's tables by name."""
    if path.is_dir() and (path / CONFIG).exists() and not name:
        said: Mapping[str, Any] = read_json(path / CONFIG)
        if not isinstance(said.get("model_cfg"), dict):
            raise BadWeights(f"{path / CONFIG} has no model_cfg; copy the whole model folder again")
        return Architecture(said["model_cfg"], said.get("preprocess_cfg", {}))
    return known_architecture(name, path)


def known_architecture(name: str, path: Path) -> Architecture:
    """What open_clip knows of ``ViT-L-14/openai``: the model, and what its weights ask for."""
    from open_clip import get_model_config, get_pretrained_cfg, list_models

    model, _, tag = name.partition("/")
    if not model:
        raise BadConfig(
            f"{path} does not say which CLIP it is; name it with the option architecture, "
            f"e.g. 'ViT-H-14/laion2b_s32b_b79k', or put its {CONFIG} beside it"
        )
    if model not in list_models():
        raise BadConfig(
            f"unknown CLIP architecture {model!r}; {nearest_name(model, list_models())}"
        )
    published = get_pretrained_cfg(model, tag) or {} if tag else {}
    config = dict(get_model_config(model) or {})
    if published.get("quick_gelu"):
        config["quick_gelu"] = True
    return Architecture(config, published)


def build(config: Mapping[str, Any]) -> Any:
    """The network, empty."""
    from open_clip import CLIP, CustomTextCLIP

    if config.get("text_cfg", {}).get("hf_model_name"):
        raise BadConfig(
            "this CLIP's text tower is a model of its own on the Hugging Face hub, which cannot "
            "be reached; use a model whose text tower open_clip builds, or a transformers folder"
        )
    parts = ("embed_dim", "vision_cfg", "text_cfg", "quick_gelu", "init_logit_bias")
    chosen = without_downloads({part: config[part] for part in parts if part in config})
    return CustomTextCLIP(**chosen) if config.get("custom_text") else CLIP(**chosen)


def unwrapped(checkpoint: Mapping[str, Any], model: Any) -> dict[str, torch.Tensor]:
    """The state dict in float32, without training's wrapping, old buffers and loose numbers."""
    state = checkpoint.get("state_dict", checkpoint)
    plain = {key.removeprefix("module."): tensor for key, tensor in state.items()}
    kept = {
        key: tensor.float() if tensor.is_floating_point() else tensor
        for key, tensor in plain.items()
        if key not in NOT_TENSORS and not key.endswith(("attn_mask", "position_ids"))
    }
    if "logit_scale" in kept:  # a number or a list of one
        kept["logit_scale"] = kept["logit_scale"].reshape(model.logit_scale.shape)
    return kept


def find_checkpoint(path: Path) -> Path:
    """The file with the tensors."""
    if path.is_file():
        return path
    for pattern in CHECKPOINTS:
        if found := sorted(path.glob(pattern)):
            return found[0]
    raise BadWeights(f"{path} holds no checkpoint; expected one of {', '.join(CHECKPOINTS)}")


def recipe(architecture: Architecture) -> Preprocessing:
    """open_clip's words for a recipe as ours; what is not said is as in CLIP."""
    said = architecture.pictures
    size = architecture.model["vision_cfg"].get("image_size", 224)
    height, width = (size, size) if isinstance(size, int) else size
    mode = said.get("resize_mode", "shortest")
    if mode not in ("shortest", "squash"):
        raise BadConfig(f"resize mode {mode!r} is not known here; expected shortest or squash")
    return Preprocessing(
        height=height,
        width=width,
        mean=tuple(said.get("mean", CLIP_MEAN)),
        std=tuple(said.get("std", CLIP_STD)),
        interpolation=said.get("interpolation", "bicubic"),
        resize_shortest=None if mode == "squash" else min(height, width),
    )


def tokenizer(path: Path, architecture: Architecture) -> Any:
    """CLIP's own vocabulary, or the tokenizer files in the model's folder."""
    from open_clip.tokenizer import HFTokenizer, SimpleTokenizer

    text = architecture.model["text_cfg"]
    length = text.get("context_length", 77)
    settings = dict(text.get("tokenizer_kwargs", {}))
    if not text.get("hf_tokenizer_name"):
        return SimpleTokenizer(context_length=length, **settings)
    folder = path if path.is_dir() else path.parent
    if not (folder / "tokenizer.json").exists():
        raise BadWeights(
            f"{folder} lacks tokenizer.json, which this model's texts need; copy the tokenizer "
            f"files of {text['hf_tokenizer_name']} beside the checkpoint"
        )
    mode = text.get("tokenizer_mode")
    return HFTokenizer(str(folder), context_length=length, tokenizer_mode=mode, **settings)
