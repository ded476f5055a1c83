"""CLIP models of open_clip, from a local checkpoint file or folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import normalize

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.images.preprocessing import Preprocessing
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.open_clip_folders import (
    Architecture,
    build_clip,
    find_checkpoint,
    load_clip_state,
    read_architecture,
    read_state,
)
from prompt_ensemble.models.two_sided_towers.causal_text import (
    TEXTS_AT_ONCE,
    encode_tokens,
    is_causal,
)
from prompt_ensemble.models.two_sided_towers.two_sided_tower import TwoSidedTower


class _OpenClipTower(TwoSidedTower):
    """A loaded CLIP of open_clip with float32 weights, run in the placement's precision."""

    def __init__(self, model: Any, recipe: Preprocessing, tokenize: Any, place: Placement) -> None:
        self.model = model.eval().to(place.device)
        self.recipe = recipe
        self.tokenize: Callable[[list[str]], torch.Tensor] = tokenize
        self.placement = place
        text = getattr(model, "text", model)
        self.causal_text = text if is_causal(text) else None

    def encode_images(self, pixels: torch.Tensor) -> torch.Tensor:
        """Rows of the image encoder."""
        with self.placement.autocast():
            rows = self.model.encode_image(self.recipe.normalise(pixels))
        return normalize(rows.float(), dim=-1)

    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Rows of the text encoder, each text computed only up to its last token if possible."""
        tokens = self.tokenize(list(texts)).to(self.placement.device)
        with torch.inference_mode(), self.placement.autocast():
            if self.causal_text is not None:
                rows = encode_tokens(self.causal_text, tokens)
            else:
                rows = torch.cat([self.model.encode_text(t) for t in tokens.split(TEXTS_AT_ONCE)])
        return normalize(rows.float(), dim=-1)

    def is_full(self, text: str) -> bool:
        """Whether the last place of the context is taken; an empty text shows the padding there."""
        tokens, padding = self.tokenize([text, ""])
        return bool(tokens[-1] != padding[-1])


def load_open_clip_tower(path: Path, name: str, placement: Placement) -> _OpenClipTower:
    """The model at ``path``, built as ``name`` says or, without a name, as its folder says."""
    architecture = read_architecture(path, name)
    model = build_clip(architecture.model)
    checkpoint = find_checkpoint(path)
    load_clip_state(model, read_state(checkpoint), checkpoint)
    return _OpenClipTower(model, architecture.recipe(), _tokenizer(path, architecture), placement)


def _tokenizer(path: Path, architecture: Architecture) -> Any:
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
            f"files of {text['hf_tokenizer_name']} into the checkpoint's folder"
        )
    mode = text.get("tokenizer_mode")
    return HFTokenizer(str(folder), context_length=length, tokenizer_mode=mode, **settings)
