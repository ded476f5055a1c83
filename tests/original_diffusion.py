"""The original layout of Stable Diffusion: a folder's weights in one file, by the authors' names.

Version 1 took OpenAI's text encoder by the names of transformers, version 2 open_clip's by its own,
and XL one of each.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from safetensors.torch import save_file

_LEVELS = 2
_UNET, _VAE = "model.diffusion_model.", "first_stage_model."
_TEXT = {
    "1": {"text_encoder": "cond_stage_model.transformer."},
    "2": {"text_encoder": "cond_stage_model.model."},
    "xl": {
        "text_encoder": "conditioner.embedders.0.transformer.",
        "text_encoder_2": "conditioner.embedders.1.model.",
    },
}


def save_original(folder: Path, file: Path, version: str = "1") -> Path:
    """A folder's weights as one file."""
    state = original_state(
        DiffusionPipeline.from_pretrained(folder, local_files_only=True), version
    )
    if file.suffix == ".safetensors":
        save_file(state, file)
    else:
        torch.save({"state_dict": state, "global_step": 1}, file)
    return file


def original_state(pipeline: Any, version: str = "1") -> dict[str, torch.Tensor]:
    """All tensors by the authors' names."""
    state = {_UNET + _unet_name(name): t for name, t in pipeline.unet.state_dict().items()}
    for name, tensor in pipeline.vae.state_dict().items():
        renamed = _vae_name(name)
        # Its attention was made of convolutions of a single pixel.
        pixel = ".attn_1." in renamed and tensor.ndim == 2
        state[_VAE + renamed] = tensor[:, :, None, None] if pixel else tensor
    for part, prefix in _TEXT[version].items():
        encoder = getattr(pipeline, part).state_dict()
        plain = {name.removeprefix("text_model."): t for name, t in encoder.items()}
        if prefix.endswith("transformer."):
            state |= {f"{prefix}text_model.{name}": tensor for name, tensor in plain.items()}
        else:
            state |= {prefix + name: tensor for name, tensor in _open_clip_names(plain).items()}
    return {name: tensor.contiguous().clone() for name, tensor in state.items()}


_OPEN_CLIP = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm": "ln_final", "encoder.layers": "transformer.resblocks",
    "layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}  # fmt: skip


def _open_clip_names(plain: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Query, key and value in one, and the projection the other way round."""
    state: dict[str, torch.Tensor] = {}
    for name, tensor in plain.items():
        renamed = name
        for ours, theirs in _OPEN_CLIP.items():
            renamed = renamed.replace(ours, theirs)
        if ".q_proj." in name:
            parts = [plain[name.replace(".q_proj.", f".{part}_proj.")] for part in "qkv"]
            kind = name.rpartition(".")[2]
            state[renamed.replace(f"self_attn.q_proj.{kind}", f"attn.in_proj_{kind}")] = torch.cat(
                parts
            )
        elif name == "text_projection.weight":
            state["text_projection"] = tensor.T
        elif ".k_proj." not in name and ".v_proj." not in name:
            state[renamed] = tensor
    width = plain["final_layer_norm.weight"].numel()
    return {"text_projection": torch.eye(width)} | state


_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
_UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0",
    "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0", "conv_out": "out.2",
}  # fmt: skip


def _unet_name(name: str) -> str:
    """Blocks of one layer at two levels, counted through as the authors did."""
    for ours, theirs in _UNET_ENDS.items():
        if name.startswith(f"{ours}."):
            return theirs + name[len(ours) :]
    side, *path = name.split(".")
    if side == "mid_block":
        kind, number, *rest = path
        place = "middle_block.1" if kind == "attentions" else f"middle_block.{2 * int(number)}"
    else:
        level, kind, number, *rest = path
        place, rest = _unet_place(side, int(level), kind, int(number), rest)
    rest = [_RESNET.get(rest[0], rest[0]), *rest[1:]] if rest else rest
    return ".".join([place, *rest])


def _unet_place(
    side: str, level: int, kind: str, number: int, rest: list[str]
) -> tuple[str, list[str]]:
    """A block's number, and what there is within it."""
    if side == "down_blocks":
        block = 1 + 2 * level + number
        if kind == "downsamplers":
            return f"input_blocks.{2 * (level + 1)}.0.op", rest[1:]
        return f"input_blocks.{block}.{int(kind == 'attentions')}", rest
    block = 2 * level + number
    if kind == "upsamplers":  # behind the residual block, since this level has no attention
        return f"output_blocks.{2 * level + 1}.1.conv", rest[1:]
    return f"output_blocks.{block}.{int(kind == 'attentions')}", rest


_VAE_WORDS = {
    "conv_norm_out": "norm_out", "conv_shortcut": "nin_shortcut", "group_norm": "norm",
    "to_q": "q", "to_k": "k", "to_v": "v",
}  # fmt: skip


def _vae_name(name: str) -> str:
    """Levels of the decoder are counted from the picture, as the authors did."""
    levels = 2
    words = [_VAE_WORDS.get(word, word) for word in name.split(".")]
    if "mid_block" in words:
        at = words.index("mid_block")
        kind, number = words[at + 1 : at + 3]
        rest = words[at + 3 :]
        rest = ["proj_out", *rest[2:]] if rest[0] == "to_out" else rest
        block = "attn_1" if kind == "attentions" else f"block_{int(number) + 1}"
        words = [*words[:at], "mid", block, *rest]
    for ours, theirs in (("down_blocks", "down"), ("up_blocks", "up")):
        if ours in words:
            level = int(words[2]) if theirs == "down" else levels - 1 - int(words[2])
            kind, number, *rest = words[3:]
            end = (
                ["block", number]
                if kind == "resnets"
                else [kind.removesuffix("rs").removesuffix("r")]
            )
            end = ["downsample"] if kind == "downsamplers" else end
            end = ["upsample"] if kind == "upsamplers" else end
            words = [words[0], theirs, str(level), *end, *rest]
    return ".".join(words)
