"""Weights that follow from their names, so that recorded outputs need no recorded weights.

A tensor is ``offset + scale * u``. The numbers ``u`` lie between -1 and 1 and come from splitmix64,
whose key is the start of sha256("<seed>:<name>"); offset and scale depend on the kind of tensor.
The reference fixtures were recorded with the same rule.
"""

import hashlib
import math
import re

import numpy as np
import torch

STEP = 0x9E3779B97F4A7C15
MIXERS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


def stream(name, count, seed):
    """``count`` random 64-bit numbers that belong to a name."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    with np.errstate(over="ignore"):
        numbers = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(STEP)
        numbers += np.uint64(int.from_bytes(digest[:8], "little"))
        for shift, factor in MIXERS:
            numbers = (numbers ^ (numbers >> np.uint64(shift))) * np.uint64(factor)
        return numbers ^ (numbers >> np.uint64(31))


def coarse(name, shape, seed=0):
    """128 different values, each exact in half precision."""
    top = (stream(name, math.prod(shape), seed) >> np.uint64(57)).astype(np.int64) - 64
    return torch.from_numpy(((2 * top + 1) / 128).astype(np.float32).reshape(shape))


def fine(name, shape, seed=0):
    """24 bits, so that hardly two values are equal."""
    top = (stream(name, math.prod(shape), seed) >> np.uint64(40)).astype(np.float64)
    return torch.from_numpy(((2 * top + 1) / 2**24 - 1).astype(np.float32).reshape(shape))


def power_of_two(x):
    return 2.0 ** round(math.log2(x))


def offset_and_scale(name, shape):
    """The kinds of tensors; signs are mixed where a forgotten tensor would else go unseen."""
    module, _, leaf = name.rpartition(".")
    fan_in = math.prod(shape[1:]) or 1
    kinds = (
        (r"running_var$", 1.0, 0.5),
        (r"running_mean$", 0.0, 0.25),
        (r"embed_images\..*bn3\.weight$", 0.25, 0.125),
        (r"c_attn$", 1.0, 0.5),
        (r"layernorm_embedding\.weight$", 0.0, 2.0),
        (r"(rel_pos_table_list\.\d+|embed_positions|embed_image_positions)\.weight$", 0.0, 1.0),
        (
            r"(embed_tokens|output_projection|type_embedding)\.weight$",
            0.0,
            power_of_two(2 * math.sqrt(3 / shape[-1])),
        ),
    )
    for pattern, offset, scale in kinds:
        if re.search(pattern, name):
            return offset, scale
    if leaf == "bias":
        return 0.0, 0.25
    if len(shape) == 1:
        return 1.0, 0.25
    if len(shape) == 4:
        return 0.0, power_of_two(math.sqrt(6 / fan_in))
    sharp = re.search(r"(q_proj|k_proj|pos_q_linear|pos_k_linear)$", module)
    return 0.0, power_of_two((1.5 if sharp else 1.0) * math.sqrt(3 / fan_in))


def rule_tensor(name, shape, seed=0):
    offset, scale = offset_and_scale(name, shape)
    return offset + scale * coarse(name, shape, seed)


def rule_state(model, seed=0):
    """A state dict for a network as it is before loading."""
    state = {}
    for name, tensor in model.state_dict().items():
        source = "encoder.embed_tokens.weight" if name == "decoder.embed_tokens.weight" else name
        if tensor.is_floating_point():
            state[name] = rule_tensor(source, tuple(tensor.shape), seed)
        else:
            state[name] = torch.zeros_like(tensor)
    return state
