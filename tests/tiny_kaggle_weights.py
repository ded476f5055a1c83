"""Tiny random models under the names and in the layouts that the public kernel's users have."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import timm
import torch
from tiny_captioners import original_blip_state, save_ofa, widen
from tiny_clip import save_tiny
from transformers import BlipConfig, BlipForConditionalGeneration

from prompt_ensemble.run.config import RunConfig, load_preset

VIT = "test_vit"
LISTS = {
    "flavors": "red\ngreen\nblue\nhighly detailed\ndark\nsoft light",
    "mediums": "an oil painting\nink on paper\na photo",
    "movements": "cubism\nrealism\ndada",
}


def write_tiny_public_kernel_weights(folder: Path) -> None:
    """All four models of the preset ``public-kernel``."""
    save_ofa(folder / "OFA-large-caption")
    state = {"model": original_blip_state(wide_blip())}
    torch.save(state, folder / "model_large_caption.pth")
    save_tiny(folder / "CLIP-ViT-H-14-laion2B-s32B-b79K")
    torch.manual_seed(0)
    network = timm.create_model(VIT, num_classes=384)
    torch.save(network.state_dict(), folder / "vit_base_patch16_224.pth")


def wide_blip() -> BlipForConditionalGeneration:
    """A network with the published head size, by which the authors' file is read."""
    small = {"intermediate_size": 64, "num_hidden_layers": 1}
    text = {**small, "hidden_size": 64, "num_attention_heads": 1, "vocab_size": 30524,
            "max_position_embeddings": 40}  # fmt: skip
    vision = {**small, "hidden_size": 128, "num_attention_heads": 2, "image_size": 32,
              "layer_norm_eps": 1e-6}  # fmt: skip
    return widen(
        BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=vision)), 5
    )


def tiny_public_kernel(lists: Path) -> RunConfig:
    """The preset, for models that are smaller and lists that are short."""
    for name, phrases in LISTS.items():
        (lists / f"{name}.txt").write_text(phrases)
    preset = load_preset("public-kernel")
    smaller = {
        "interrogator": {
            "architecture": "",
            "lists": {name: str(lists / f"{name}.txt") for name in LISTS},
        },
        "vit": {"architecture": VIT},
    }
    members = tuple(
        replace(member, options={**member.options, **smaller.get(member.name, {})})
        for member in preset.members
    )
    return replace(preset, members=members)


def as_toml(config: RunConfig) -> str:
    """A configuration as a file of the user's."""
    lines = [f"prior = {json.dumps(config.prior)}"]
    for member in config.members:
        options = dict(member.options)
        tables = {key: options.pop(key) for key in list(options) if isinstance(options[key], dict)}
        own = {"name": member.name, "model": member.model, "weights": member.weights,
               "weight": member.weight, "batch_size": member.batch_size}  # fmt: skip
        lines += ["[[members]]", *keys(own), "[members.options]", *keys(options)]
        for name, table in tables.items():
            lines += [f"[members.options.{name}]", *keys(table)]
    return "\n".join(lines) + "\n"


def keys(table: dict[str, object]) -> list[str]:
    """Keys and values; JSON's texts, numbers and lists are TOML's too."""
    return [f"{key} = {json.dumps(value)}" for key, value in table.items()]
