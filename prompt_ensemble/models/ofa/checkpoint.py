"""OFA's files: Hugging Face folders as the authors publish them, and their own fairseq files."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path

import torch

from prompt_ensemble.core.errors import BadWeights, MissingWeights
from prompt_ensemble.models.checkpoints import load_state, load_strictly, read_json
from prompt_ensemble.models.ofa.config import OfaConfig
from prompt_ensemble.models.ofa.layer import ACTIVATIONS
from prompt_ensemble.models.ofa.model import Ofa
from prompt_ensemble.models.ofa.tokenizer import Tokenizer, load_tokenizer
from prompt_ensemble.models.ofa.trunk import BLOCKS

_State = dict[str, torch.Tensor]

_WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
_COMPUTED = re.compile(r"(_rp_bucket|image_position_idx|\bversion)$")
"""Entries that follow from the configuration."""
_FAIRSEQ_NAMES = (
    ("self_attn_ln", "self_attn_mid_layer_norm"),
    ("ffn_layernorm", "ffn_layer_norm"),
    ("cross_attn_ln", "cross_attn_mid_layer_norm"),
    ("encoder_attn", "cross_attn"),
    ("attn_ln", "self_attn_mid_layer_norm"),
)
"""fairseq's names and ours; the order matters, the last is a part of the others."""
ENCODER_WORDS = "encoder.embed_tokens.weight"
DECODER_WORDS = "decoder.embed_tokens.weight"
OUTPUT = "decoder.output_projection.weight"


def load_ofa(path: Path, vocabulary: Path | None = None) -> tuple[Ofa, Tokenizer]:
    """The captioner in a Hugging Face folder or a fairseq ``.pt`` file, float32, for inference.

    ``vocabulary`` is the folder of vocab.json and merges.txt where they do not lie next to the
    weights.
    """
    if path.is_dir():
        weights, folder = _weights_in(path), path
        config = OfaConfig.from_mapping(read_json(path / "config.json"), path / "config.json")
        state = load_state(weights)
    else:
        weights, folder = path, path.parent
        state = _load_fairseq(path)
        config = config_of(state, path)
    check(config, folder)
    tokenizer = load_tokenizer(vocabulary or folder)
    if len(tokenizer) != config.vocab_size:
        raise BadWeights(
            f"{vocabulary or folder} holds {len(tokenizer)} tokens and {weights} "
            f"{config.vocab_size}; expected the vocab.json that belongs to these weights"
        )
    return build(config, state, weights), tokenizer


def check(config: OfaConfig, path: Path) -> None:
    """Refuse what no OFA captioner has."""
    heads = config.encoder_attention_heads, config.decoder_attention_heads
    faults = {
        f"resnet_type {config.resnet_type!r}": config.resnet_type not in BLOCKS,
        f"activation_function {config.activation_function!r}": config.activation_function
        not in ACTIVATIONS,
        f"d_model {config.d_model} for {heads} heads": any(config.d_model % n for n in heads),
        "entangle_position_embedding": config.entangle_position_embedding,
    }
    for fault, present in faults.items():
        if present:
            raise BadWeights(
                f"{path} has {fault}, as no published OFA captioner; copy its config.json again "
                "or use another checkpoint"
            )


def build(config: OfaConfig, state: Mapping[str, torch.Tensor], path: Path) -> Ofa:
    """The network with these tensors, each of which must find its place; ``path`` is for errors."""
    with torch.device("meta"):  # a billion random numbers would be drawn for nothing
        model = Ofa(config)
    model.to_empty(device="cpu")
    load_strictly(model, _tied(state, config, path), path)
    model.eval()
    model.encoder.embed_images.fold()
    return model


def _weights_in(folder: Path) -> Path:
    """The file of tensors in a Hugging Face folder."""
    for name in _WEIGHT_FILES:
        if (folder / name).is_file():
            return folder / name
    raise MissingWeights(
        f"{folder} holds no {' or '.join(_WEIGHT_FILES)}; copy the whole OFA folder"
    )


def _tied(state: Mapping[str, torch.Tensor], config: OfaConfig, path: Path) -> _State:
    """The tensors the network wants: computed ones left out, the table of words in its places."""
    wanted = {key: tensor.float() for key, tensor in state.items() if not _COMPUTED.search(key)}
    places = [ENCODER_WORDS, DECODER_WORDS]
    if config.share_decoder_input_output_embed:
        places.append(OUTPUT)
    tables = [wanted.pop(place) for place in places if place in wanted]
    if not tables:
        raise BadWeights(
            f"{path} holds none of {', '.join(places)}; expected the weights of an OFA model"
        )
    if any(not same(tables[0], other) for other in tables[1:]):
        raise BadWeights(
            f"{path} holds different tensors as {', '.join(places)}, which are one in OFA; "
            "copy it again"
        )
    return wanted | {ENCODER_WORDS: tables[0], DECODER_WORDS: tables[0]}


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors are one, or equal."""
    return one.data_ptr() == other.data_ptr() or torch.equal(one, other)


def _load_fairseq(path: Path) -> _State:
    """The tensors of a fairseq checkpoint under Hugging Face names."""
    # Its training arguments are a Namespace: plain data, but unknown to the safe unpickler.
    with torch.serialization.safe_globals([argparse.Namespace]):
        checkpoint = load_state(path)
    model = checkpoint.get("model", checkpoint)
    if not isinstance(model, Mapping) or ENCODER_WORDS not in model:
        raise BadWeights(
            f"{path} is no OFA checkpoint of fairseq: expected 'model' with {ENCODER_WORDS}; "
            "name a caption_*.pt file of the authors, or a Hugging Face folder"
        )
    return {renamed(key): tensor for key, tensor in model.items()}


def renamed(key: str) -> str:
    """A fairseq key as Hugging Face's."""
    for theirs, ours in _FAIRSEQ_NAMES:
        key = key.replace(theirs, ours)
    return key


def config_of(state: _State, path: Path) -> OfaConfig:
    """The configuration that a state dict shows, for files that come without one."""
    try:
        return OfaConfig(
            vocab_size=len(state[ENCODER_WORDS]),
            d_model=state[ENCODER_WORDS].shape[1],
            encoder_layers=count(state, r"encoder\.layers\.(\d+)\."),
            decoder_layers=count(state, r"decoder\.layers\.(\d+)\."),
            encoder_attention_heads=len(state["encoder.layers.0.self_attn.c_attn"]),
            decoder_attention_heads=len(state["decoder.layers.0.self_attn.c_attn"]),
            encoder_ffn_dim=len(state["encoder.layers.0.fc1.weight"]),
            decoder_ffn_dim=len(state["decoder.layers.0.fc1.weight"]),
            resnet_type=_trunk_of(state, path),
            max_position_embeddings=len(state["encoder.embed_positions.weight"]) - 2,
            token_bucket_size=(len(state["encoder.token_rel_pos_table_list.0.weight"]) + 1) // 2,
            image_bucket_size=round(
                (len(state["encoder.embed_image_positions.weight"]) - 1) ** 0.5
            ),
        )
    except KeyError as error:
        raise BadWeights(
            f"{path} has no {error.args[0]}; expected a caption checkpoint with per-head scales, "
            "as the authors' released scripts train them"
        ) from error


def _trunk_of(state: _State, path: Path) -> str:
    """Which ResNet a state dict holds."""
    found = tuple(count(state, rf"embed_images\.layer{stage}\.(\d+)\.") for stage in (1, 2, 3))
    for name in ("resnet18", "resnet50", "resnet101", "resnet152"):
        if BLOCKS[name] == found:
            return name
    raise BadWeights(f"{path} has a picture trunk of {found} blocks; expected one of {BLOCKS}")


def count(state: _State, pattern: str) -> int:
    """How many numbers appear in the pattern's group among the keys."""
    found = (re.search(pattern, key) for key in state)
    return len({match[1] for match in found if match})
