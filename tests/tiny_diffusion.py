"""A tiny random Stable Diffusion in the published layouts: a folder of diffusers, and one file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from open_clip.tokenizer import bytes_to_unicode
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

WIDTH = 32
WORDS = 77
LEVELS = 2
_FLAGGED_FROM = 0.41
"""Cosine with one of the checker's directions from which a picture is flagged."""


def tiny_pipeline(checker: Any = None, extractor: Any = None) -> StableDiffusionPipeline:
    """Two levels, a word for each byte; the same numbers every time."""
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=16, block_out_channels=(WIDTH, 2 * WIDTH), layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH, attention_head_dim=4, norm_num_groups=8,
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=8, sample_size=32,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip
    return StableDiffusionPipeline(
        vae=vae, unet=unet, text_encoder=_text_encoder(), tokenizer=_tokenizer(),
        scheduler=DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
            clip_sample=False, set_alpha_to_one=False, steps_offset=1,
        ),
        safety_checker=checker, feature_extractor=extractor,
        requires_safety_checker=checker is not None,
    )  # fmt: skip


def save_tiny_diffusion(folder: Path) -> Path:
    """The folder, as diffusers publishes it."""
    tiny_pipeline().save_pretrained(folder)
    return folder


def save_flagging_diffusion(folder: Path) -> Path:
    """The same with a safety checker that flags about half of all pictures."""
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessor

    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    sizes |= {"num_attention_heads": 2, "projection_dim": 8}
    vision = sizes | {"image_size": 32, "patch_size": 16}
    torch.manual_seed(0)
    checker = StableDiffusionSafetyChecker(
        CLIPConfig(text_config=sizes, vision_config=vision, projection_dim=8)
    )
    checker.concept_embeds.normal_(std=1.0)
    checker.concept_embeds_weights.fill_(_FLAGGED_FROM)
    checker.special_care_embeds_weights.fill_(2.0)
    extractor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32)
    tiny_pipeline(checker, extractor).save_pretrained(folder)
    return folder


def save_original(folder: Path, file: Path) -> Path:
    """A folder's weights under the names that Stable Diffusion's authors gave them."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)
    state = original_state(pipeline)
    if file.suffix == ".safetensors":
        save_file(state, file)
    else:
        torch.save({"state_dict": state, "global_step": 1}, file)
    return file


def _text_encoder() -> CLIPTextModel:
    size = len(_words())
    config = CLIPTextConfig(
        vocab_size=size, hidden_size=WIDTH, intermediate_size=2 * WIDTH, num_hidden_layers=2,
        num_attention_heads=4, projection_dim=WIDTH, max_position_embeddings=WORDS,
        bos_token_id=size - 2, eos_token_id=size - 1, pad_token_id=size - 1,
    )  # fmt: skip
    return CLIPTextModel(config).eval()


def _words() -> dict[str, int]:
    """A word for each byte, inside of a word and at its end."""
    letters = list(bytes_to_unicode().values())
    ends = [f"{letter}</w>" for letter in letters]
    names = [*letters, *ends, "<|startoftext|>", "<|endoftext|>"]
    return {name: number for number, name in enumerate(names)}


def _tokenizer() -> CLIPTokenizer:
    return CLIPTokenizer(vocab=_words(), merges=[], model_max_length=WORDS)


def original_state(pipeline: StableDiffusionPipeline) -> dict[str, torch.Tensor]:
    """All tensors by the authors' names."""
    parts = (
        ("model.diffusion_model.", pipeline.unet, _unet_name),
        ("first_stage_model.", pipeline.vae, _vae_name),
        ("cond_stage_model.transformer.", pipeline.text_encoder, _text_name),
    )
    state = {
        prefix + rename(name): tensor.contiguous().clone()
        for prefix, module, rename in parts
        for name, tensor in module.state_dict().items()
    }
    for (
        name,
        tensor,
    ) in state.items():  # attention of the autoencoder was made of 1 x 1 convolutions
        if "first_stage_model" in name and ".attn_1." in name and tensor.ndim == 2:
            state[name] = tensor[:, :, None, None].contiguous()
    return state


def _text_name(name: str) -> str:
    return name if name.startswith("text_model.") else f"text_model.{name}"


_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0", "conv2": "out_layers.3", "conv_shortcut": "skip_connection",
}  # fmt: skip
_UNET_ENDS = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
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


def write_config_only(folder: Path, to: Path) -> Path:
    """A folder's small files without its weights, as ``--architecture`` takes them."""
    for file in folder.rglob("*.json"):
        target = to / file.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(json.loads(file.read_text())))
    return to
