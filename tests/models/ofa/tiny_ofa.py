"""Small OFA networks and folders, of weights that follow from their names."""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from models.ofa.rule_weights import rule_state
from tokenizers.pre_tokenizers import ByteLevel

from prompt_ensemble.models.ofa.checkpoint import build
from prompt_ensemble.models.ofa.config import OfaConfig
from prompt_ensemble.models.ofa.model import Ofa
from prompt_ensemble.models.ofa.tokenizer import ADDED

GOLDENS = json.loads(Path(__file__).with_name("goldens.json").read_text())
SPECIALS = ("<s>", "<pad>", "</s>", "<unk>")
WORDS = [*SPECIALS, *sorted(ByteLevel.alphabet()), "Ġa", "Ġd", "og", "Ġdog", "<mask>"]
MERGES = ["Ġ a", "Ġ d", "o g", "Ġd og"]


def micro_config(**differs):
    """The configuration of the recorded cases."""
    return OfaConfig(**(GOLDENS["config"] | differs))


def micro_ofa(seed=0, likelier_end=False, c_attn_all_ones=False, **differs):
    """The network of a recorded case."""
    config = micro_config(**differs)
    state = rule_state(Ofa(config), seed)
    for name, tensor in state.items():
        if c_attn_all_ones and name.endswith("c_attn"):
            tensor.fill_(1)
    if likelier_end:
        state["encoder.embed_tokens.weight"][config.eos_token_id] *= 2
        state["decoder.embed_tokens.weight"] = state["encoder.embed_tokens.weight"]
    return build(config, state, Path("state"))


def folder_config():
    return micro_config(vocab_size=len(WORDS) + len(ADDED))


def folder_state():
    """A state dict as the authors save it: the table of words three times, and index buffers."""
    config = folder_config()
    state = rule_state(Ofa(config))
    words = state["encoder.embed_tokens.weight"]
    copies = {"decoder.embed_tokens.weight": words, "decoder.output_projection.weight": words}
    buffers = {"encoder.token_rp_bucket": torch.zeros(2, 2).long()}
    return state | copies | buffers


def write_vocabulary(folder):
    folder.mkdir(parents=True, exist_ok=True)
    numbered = {word: number for number, word in enumerate(WORDS)}
    (folder / "vocab.json").write_text(json.dumps(numbered), encoding="utf-8")
    merges = "\n".join(["#version: 0.2", *MERGES, ""])
    (folder / "merges.txt").write_text(merges, encoding="utf-8")
    return folder


def write_folder(folder, state):
    """A folder as the authors publish it."""
    write_vocabulary(folder)
    described = asdict(folder_config()) | {"model_type": "ofa", "dropout": 0.1}
    (folder / "config.json").write_text(json.dumps(described))
    torch.save(state, folder / "pytorch_model.bin")
    return folder
