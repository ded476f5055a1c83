"""Weights of a network with a decoder in its file: eight bits a number, shared tensors once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import save

from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.models.checkpoints import load_state, load_strictly
from prompt_ensemble.models.packed_rows import pack_state, unpack_state
from prompt_ensemble.models.text_decoder.decoder import tied_names


def save_weights(network: Any, path: Path) -> None:
    """Large matrices in eight bits, the rest in float16."""
    twins = tied_names(network)
    state = {name: tensor for name, tensor in network.state_dict().items() if name not in twins}
    write_atomically(path, save(pack_state(state)))


def load_weights(network: Any, path: Path) -> None:
    """Put them back in float32, every tensor accounted for."""
    state = unpack_state(load_state(path))
    twins = tied_names(network)
    state |= {name: state[twin] for name, twin in twins.items() if twin in state}
    load_strictly(network, state, path)
