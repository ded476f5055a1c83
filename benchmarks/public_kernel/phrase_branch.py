"""BLIP and clip-interrogator's ranking, one image at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torchvision.transforms import Compose, InterpolationMode, Normalize, Resize, ToTensor

from prompt_ensemble.images.preprocessing import CLIP_MEAN, CLIP_STD

PROMPT = "a picture of "
FLAVORS = 3


@torch.inference_mode()
def blip_captions(model: Any, tokenizer: Any, files: Sequence[Path], device: str) -> list[str]:
    """``generate`` for each image on its own."""
    side = model.config.vision_config.image_size
    resize = Resize((side, side), InterpolationMode.BICUBIC)
    look = Compose([resize, ToTensor(), Normalize(CLIP_MEAN, CLIP_STD)])
    model = model.to(device).eval()
    words = tokenizer(PROMPT, add_special_tokens=False).input_ids
    start = torch.tensor([[model.config.text_config.bos_token_id, *words]], device=device)
    captions = []
    for file in files:
        pixels = look(Image.open(file).convert("RGB"))[None].to(device)
        seen = model.vision_model(pixels)[0]
        tokens = model.text_decoder.generate(
            start,
            encoder_hidden_states=seen,
            encoder_attention_mask=torch.ones(seen.shape[:-1], dtype=torch.long, device=device),
            bos_token_id=model.config.text_config.bos_token_id,
            eos_token_id=model.config.text_config.sep_token_id,
            pad_token_id=model.config.text_config.pad_token_id,
            num_beams=8, min_length=5, max_length=32, do_sample=False,
        )  # fmt: skip
        caption = tokenizer.decode(tokens[0, start.shape[1] :], skip_special_tokens=True)
        captions.append(caption.strip())
    return captions


@torch.inference_mode()
def phrase_prompts(interrogator: Any, files: Sequence[Path], captions: Sequence[str]) -> list[str]:
    """The kernel's classic mode: medium, movement and three flavors, no artist and no site."""
    from clip_interrogator.clip_interrogator import _truncate_to_fit

    prompts = []
    for file, caption in zip(files, captions, strict=True):
        features = interrogator.image_to_features(Image.open(file).convert("RGB"))
        medium = interrogator.mediums.rank(features, 1)[0]
        movement = interrogator.movements.rank(features, 1)[0]
        flavors = ", ".join(interrogator.flavors.rank(features, FLAVORS))
        begun = caption if caption.startswith(medium) else f"{caption}, {medium}"
        prompts.append(_truncate_to_fit(f"{begun}, {movement}, {flavors}", interrogator.tokenize))
    return prompts
