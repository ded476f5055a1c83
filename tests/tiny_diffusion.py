"""Tiny random pipelines, saved as diffusers publishes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from open_clip.tokenizer import bytes_to_unicode
from PIL import Image
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

WIDTH = 32
WORDS = 77
_FLAGGED_FROM = 0.998
"""Cosine with the forbidden picture; the checker rounds to three digits."""


def tiny_pipeline(checker: Any = None, extractor: Any = None) -> StableDiffusionPipeline:
    """Two levels, a word for each byte; the same numbers every time."""
    torch.manual_seed(0)
    return StableDiffusionPipeline(
        vae=_autoencoder(), unet=_unet(cross_attention_dim=WIDTH),
        text_encoder=_text_encoder(), tokenizer=_tokenizer(),
        scheduler=DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
            clip_sample=False, set_alpha_to_one=False, steps_offset=1,
        ),
        safety_checker=checker, feature_extractor=extractor,
        requires_safety_checker=checker is not None,
    )  # fmt: skip


def tiny_xl_pipeline() -> StableDiffusionXLPipeline:
    """With two text encoders of different width, and the size among what the network is told."""
    torch.manual_seed(0)
    wide = WIDTH + 8
    return StableDiffusionXLPipeline(
        vae=_autoencoder(),
        unet=_unet(
            cross_attention_dim=WIDTH + wide, addition_embed_type="text_time",
            addition_time_embed_dim=8, projection_class_embeddings_input_dim=6 * 8 + wide,
            use_linear_projection=True,
        ),
        text_encoder=_text_encoder(), tokenizer=_tokenizer(), tokenizer_2=_tokenizer(),
        text_encoder_2=CLIPTextModelWithProjection(_text_config(wide, "gelu")).eval(),
        scheduler=EulerDiscreteScheduler(beta_schedule="scaled_linear"), add_watermarker=False,
    )  # fmt: skip


def save_tiny_diffusion(folder: Path) -> Path:
    """The folder of the first."""
    tiny_pipeline().save_pretrained(folder)
    return folder


def save_flagging_diffusion(folder: Path, forbidden: Image.Image) -> Path:
    """The same with a safety checker that flags this picture and no other."""
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPImageProcessor

    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    sizes |= {"num_attention_heads": 2, "projection_dim": 8}
    vision = sizes | {"image_size": 32, "patch_size": 16}
    torch.manual_seed(0)
    config = CLIPConfig(text_config=sizes, vision_config=vision, projection_dim=8)
    checker = StableDiffusionSafetyChecker(config).eval()
    extractor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32)
    with torch.inference_mode():
        pixels = extractor([forbidden], return_tensors="pt").pixel_values
        looked = checker.visual_projection(checker.vision_model(pixels).pooler_output)
        checker.concept_embeds.copy_(looked.expand_as(checker.concept_embeds))
    checker.concept_embeds_weights.fill_(_FLAGGED_FROM)
    checker.special_care_embeds_weights.fill_(2.0)
    tiny_pipeline(checker, extractor).save_pretrained(folder)
    return folder


def _unet(**choices: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=16, block_out_channels=(WIDTH, 2 * WIDTH), layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        attention_head_dim=4, norm_num_groups=8, **choices,
    )  # fmt: skip


def _autoencoder() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=8, sample_size=32,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip


def _text_encoder() -> CLIPTextModel:
    return CLIPTextModel(_text_config(WIDTH, "quick_gelu")).eval()


def _text_config(width: int, activation: str) -> CLIPTextConfig:
    size = len(_words())
    return CLIPTextConfig(
        vocab_size=size, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2,
        num_attention_heads=4, projection_dim=width, max_position_embeddings=WORDS,
        hidden_act=activation,
        bos_token_id=size - 2, eos_token_id=size - 1, pad_token_id=size - 1,
    )  # fmt: skip


def _words() -> dict[str, int]:
    """A word for each byte, inside of a word and at its end."""
    letters = list(bytes_to_unicode().values())
    ends = [f"{letter}</w>" for letter in letters]
    names = [*letters, *ends, "<|startoftext|>", "<|endoftext|>"]
    return {name: number for number, name in enumerate(names)}


def _tokenizer() -> CLIPTokenizer:
    return CLIPTokenizer(vocab=_words(), merges=[], model_max_length=WORDS)


def write_config_only(folder: Path, to: Path) -> Path:
    """A folder's small files without its weights, as ``--architecture`` takes them."""
    for file in folder.rglob("*.json"):
        target = to / file.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(json.loads(file.read_text())))
    return to
