"""The parts of each family of captioners, by the names that they have in its network."""

from __future__ import annotations

from dataclasses import dataclass

from prompt_ensemble.core.errors import BadConfig, nearest_name


@dataclass(frozen=True)
class Family:
    """The parts of a network."""

    tower: str
    """The image tower's name within it."""
    lora: str
    """Pattern of the names of linear layers on the text side that LoRA adds to.

    Never the output layer: it is tied to the word embeddings, and merging would move both.
    """
    tower_lora: str
    """The same in the image tower."""


FAMILIES = {
    "blip": Family(
        "vision_model", r"text_decoder\..*\.(query|value)", r"vision_model\..*\.(qkv|projection)"
    ),
    "git": Family(
        "git.image_encoder", r"git\.encoder\..*\.(query|value)",
        r"git\.image_encoder\..*\.(q_proj|v_proj)",
    ),
    "encoder-decoder": Family(
        "encoder", r"decoder\..*\.(c_attn|q_attn|q_proj|v_proj|query|value)",
        r"encoder\..*\.(q_proj|v_proj|query|value)",
    ),
    "blip2": Family(
        "vision_model", r"(qformer\..*\.(query|value)|language_model\..*\.(q_proj|v_proj))",
        r"vision_model\..*\.(qkv|projection)",
    ),
    "florence2": Family(
        "model.vision_tower", r"model\.language_model\..*\.(q_proj|v_proj)",
        r"model\.vision_tower\..*\.(qkv|proj)",
    ),
    "coca": Family(
        "visual", r"text(_decoder)?\..*\.(c_fc|c_proj)", r"visual\..*\.(c_fc|c_proj)"
    ),
}  # fmt: skip
"""By the kind of member. CoCa's attention keeps its three projections in one tensor that is no
layer of its own, so that its feed-forward layers are added to."""


def family_of(kind: str) -> Family:
    """The family of a kind of captioner."""
    if kind not in FAMILIES:
        raise BadConfig(
            f"a captioner of kind {kind!r} cannot be fine-tuned here; "
            f"{nearest_name(kind, list(FAMILIES))}"
        )
    return FAMILIES[kind]
