"""The authors' checkpoints of BLIP (``model_large_caption.pth`` …) as transformers' class.

Same network, other names; the sizes are read off the tensors. What the authors set elsewhere than
in transformers' defaults (heads of 64, layer norms of the vision tower at 1e-6) is set here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.models.checkpoints import load_state, load_strictly

if TYPE_CHECKING:
    import torch
    from transformers import BlipConfig

OLD = r"visual_encoder\."
_OLD_BLOCK = OLD + r"blocks\.(\d+)\."
NEW = "vision_model."
_NEW_BLOCK = NEW + r"encoder.layers.\1."
_RENAMES = (
    (OLD + "cls_token", NEW + "embeddings.class_embedding"),
    (OLD + "pos_embed", NEW + "embeddings.position_embedding"),
    (OLD + r"patch_embed\.proj\.(.+)", NEW + r"embeddings.patch_embedding.\1"),
    (OLD + r"norm\.(.+)", NEW + r"post_layernorm.\1"),
    (_OLD_BLOCK + "norm(.+)", _NEW_BLOCK + r"layer_norm\2"),
    (_OLD_BLOCK + r"attn\.qkv\.(.+)", _NEW_BLOCK + r"self_attn.qkv.\2"),
    (_OLD_BLOCK + r"attn\.proj\.(.+)", _NEW_BLOCK + r"self_attn.projection.\2"),
    (_OLD_BLOCK + r"mlp\.(.+)", _NEW_BLOCK + r"mlp.\2"),
    (r"(text_decoder\..+)", r"\1"),
)
"""Original name, which must match whole, to transformers' name."""
_BUFFER = re.compile(r".+\.position_ids")
"""Counts from zero that older torch code kept in checkpoints."""
HEAD = "text_decoder.cls.predictions."
WORDS = "text_decoder.bert.embeddings.word_embeddings.weight"
_TIED = {f"{HEAD}decoder.weight": WORDS, f"{HEAD}decoder.bias": f"{HEAD}bias"}
"""One tensor under two names; files may leave out the first."""


def load_blip_checkpoint(path: Path, head_size: int = 64) -> Any:
    """The captioning network of a single-file checkpoint, in float32."""
    from transformers import BlipForConditionalGeneration

    state = rename(_unwrap(load_state(path), path), path)
    try:
        config = _infer_config(state, head_size)
    except (KeyError, ValueError, AttributeError) as error:
        raise _not_blip(path, f"{error} is not in it") from error
    model = BlipForConditionalGeneration(config)
    for copy, original in _TIED.items():
        if original in state:
            state.setdefault(copy, state[original])
    load_strictly(model, {key: tensor.float() for key, tensor in state.items()}, path)
    return model.eval()


def authors_state(model: Any, path: Path) -> dict[str, torch.Tensor]:
    """The network's tensors under the names that the checkpoint at ``path`` has for them."""
    state = model.state_dict()
    return {
        key: old if _BUFFER.fullmatch(key) else state[renamed(key, path)]
        for key, old in _unwrap(load_state(path), path).items()
    }


def _unwrap(checkpoint: Mapping[str, object], path: Path) -> dict[str, torch.Tensor]:
    """The state dict, which the authors keep under ``model``."""
    state = checkpoint.get("model", checkpoint)
    if not isinstance(state, dict):
        raise _not_blip(path, "no state dict under 'model'")
    return state


def rename(state: Mapping[str, torch.Tensor], path: Path) -> dict[str, torch.Tensor]:
    """The same tensors under transformers' names."""
    return {renamed(key, path): state[key] for key in state if not _BUFFER.fullmatch(key)}


def renamed(key: str, path: Path) -> str:
    """transformers' name of one tensor."""
    for original, ours in _RENAMES:
        if found := re.fullmatch(original, key):
            return found.expand(ours)
    raise _not_blip(path, f"tensor {key!r} belongs to no captioner")


def _not_blip(path: Path, reason: str) -> BadWeights:
    """What to say of a checkpoint of something else."""
    return BadWeights(
        f"{path} is not an original BLIP captioner ({reason}); expected model_base_caption*.pth "
        "or model_large_caption.pth, with visual_encoder.* and text_decoder.* tensors"
    )


def _infer_config(state: Mapping[str, torch.Tensor], head_size: int) -> BlipConfig:
    """Sizes of the network, from the shapes of its tensors."""
    from transformers import BlipConfig

    patches = state["vision_model.embeddings.patch_embedding.weight"].shape
    positions = state["vision_model.embeddings.position_embedding"].shape[1] - 1
    words, width = state[WORDS].shape
    text = "text_decoder.bert.encoder.layer"
    return BlipConfig(
        vision_config={
            "hidden_size": patches[0],
            "intermediate_size": state["vision_model.encoder.layers.0.mlp.fc1.weight"].shape[0],
            "num_hidden_layers": layers(state, "vision_model.encoder.layers"),
            "num_attention_heads": patches[0] // head_size,
            "image_size": round(positions**0.5) * patches[-1],
            "patch_size": patches[-1],
            "layer_norm_eps": 1e-6,
        },
        text_config={
            "vocab_size": words,
            "hidden_size": width,
            "intermediate_size": state[f"{text}.0.intermediate.dense.weight"].shape[0],
            "num_hidden_layers": layers(state, text),
            "num_attention_heads": width // head_size,
            "max_position_embeddings": state[
                "text_decoder.bert.embeddings.position_embeddings.weight"
            ].shape[0],
            "bos_token_id": words - 2,  # [DEC] and [ENC] come after BERT's own words
            "sep_token_id": 102,
        },
    )


def layers(state: Mapping[str, torch.Tensor], prefix: str) -> int:
    """How many numbered layers there are under a name."""
    numbers = [int(key[len(prefix) + 1 :].split(".")[0]) for key in state if key.startswith(prefix)]
    return max(numbers, default=-1) + 1
