"""A GPT-2 of random weights and a few thousand numbers, laid out on the disk as the real one is."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tiny_captioners import GPT2_WORDS, widen, write_gpt2_tokenizer
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    BertConfig,
    BertLMHeadModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    OPTConfig,
    OPTForCausalLM,
)

from prompt_ensemble.models.text_decoder.decoder import DecoderSpec

END = "<|endoftext|>"
WORDS = [*sorted(ByteLevel.alphabet()), "Ġa", "Ġw", "al", "all", "Ġwall", END]
MERGES = ["Ġ a", "Ġ w", "a l", "al l", "Ġw all"]
ROWS = len(WORDS) + 4
"""Of the model, a few more than there are words."""
WIDTH = 32


def config(positions: int = 64) -> GPT2Config:
    last = len(WORDS) - 1
    return GPT2Config(
        vocab_size=ROWS, n_embd=WIDTH, n_layer=2, n_head=2, n_positions=positions,
        bos_token_id=last, eos_token_id=last,
    )  # fmt: skip


def spec() -> DecoderSpec:
    """What a decoder over such a model is built from."""
    described = json.loads(config().to_json_string())
    return DecoderSpec("language-model", ROWS, WIDTH, 2, 2, 24, language_model=described)


def save_gpt2(folder: Path, positions: int = 64) -> Path:
    torch.manual_seed(5)
    GPT2LMHeadModel(config(positions)).save_pretrained(folder)
    write_tokenizer(folder)
    return folder


def save_prompt_writer(folder: Path) -> Path:
    """A GPT-2 of a handful of words, whose texts differ."""
    last = len(GPT2_WORDS) - 1
    small = GPT2Config(
        vocab_size=len(GPT2_WORDS), n_embd=32, n_layer=2, n_head=2, n_positions=24,
        bos_token_id=last, eos_token_id=last,
    )  # fmt: skip
    widen(GPT2LMHeadModel(small), 3).save_pretrained(folder)
    write_gpt2_tokenizer(folder)
    return folder


def save_expander(folder: Path, listed: str) -> Path:
    """The same with a comma, and a list of the words that it may say."""
    save_prompt_writer(folder)
    words = json.loads((folder / "vocab.json").read_text())
    words[","] = words.pop(".")
    (folder / "vocab.json").write_text(json.dumps(words))
    (folder / "positive.txt").write_text(listed)
    return folder


def save_bert(folder: Path) -> Path:
    """An encoder that transformers lets write, though each of its words sees all others."""
    small = BertConfig(
        vocab_size=ROWS, hidden_size=WIDTH, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=64, is_decoder=False,
    )  # fmt: skip
    torch.manual_seed(5)
    model = BertLMHeadModel(small)
    for tensor in model.parameters():
        torch.nn.init.normal_(tensor, 0, 0.4)
    model.save_pretrained(folder)
    write_tokenizer(folder)
    return folder


def save_other(folder: Path, kind: str) -> Path:
    """A LLaMA or an OPT with GPT-2's words."""
    last = len(WORDS) - 1
    both = {
        "vocab_size": ROWS, "hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 2,
        "max_position_embeddings": 64, "bos_token_id": last, "eos_token_id": last,
    }  # fmt: skip
    torch.manual_seed(5)
    if kind == "llama":
        LlamaForCausalLM(LlamaConfig(**both, intermediate_size=64)).save_pretrained(folder)
    else:
        narrow = {"ffn_dim": 64, "word_embed_proj_dim": 16, "pad_token_id": 1}
        OPTForCausalLM(OPTConfig(**both, **narrow)).save_pretrained(folder)
    write_tokenizer(folder)
    return folder


def write_tokenizer(folder: Path) -> None:
    words = {word: number for number, word in enumerate(WORDS)}
    (folder / "vocab.json").write_text(json.dumps(words))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *MERGES, ""]))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer"}))
