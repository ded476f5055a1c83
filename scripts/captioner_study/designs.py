"""Captioners of the same size in two designs, untrained, in the layout of transformers.

Both have a text side of the same width and depth, and on pixels an image tower of the same width,
depth and patches and one vocabulary. They differ in what is compared: BLIP's decoder attends to the
image through layers of its own, GIT's reads the image in front of the words.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import (
    AutoTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    GitConfig,
    GitForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
)

from prompt_ensemble.models.sentence_encoder import DEFAULT_ENCODER
from prompt_ensemble.models.weights import WeightRoots

SIDE, WIDTH, LAYERS, HEADS, PATCH, LONGEST = 64, 128, 3, 4, 16, 40
_END = "<|endoftext|>"
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_VISION: dict[str, Any] = {
    "hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS, "image_size": SIDE, "patch_size": PATCH,
}  # fmt: skip
_TEXT: dict[str, Any] = {
    "hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS, "max_position_embeddings": LONGEST,
}  # fmt: skip


def vocabulary(prompts: Sequence[str]) -> list[str]:
    """The word pieces of MiniLM's tokenizer that occur in the prompts, special tokens first."""
    folder = WeightRoots.usual().find(DEFAULT_ENCODER).path
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    used = {piece for prompt in prompts for piece in tokenizer.tokenize(prompt)}
    return [*_SPECIAL, *sorted(used - set(_SPECIAL))]


def save_untrained(design: str, words: Sequence[str], seed: int, folder: Path) -> Path:
    """A folder with random weights, which ``seed`` determines."""
    torch.manual_seed(seed)
    tokens = {
        "vocab_size": len(words) + 1, "pad_token_id": 0, "bos_token_id": len(words),
        "sep_token_id": 3, "eos_token_id": 3,
    }  # fmt: skip
    if design == "blip":
        text = _TEXT | tokens | {"encoder_hidden_size": WIDTH}
        config = BlipConfig(text_config=text, vision_config=_VISION, projection_dim=WIDTH)
        model: Any = BlipForConditionalGeneration(config)
    else:
        model = GitForCausalLM(GitConfig(vision_config=_VISION, **_TEXT, **tokens))
    model.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True})
    )
    (folder / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "image_mean": [0.5] * 3,
                "image_std": [0.25] * 3,
                "resample": 3,
                "size": {"height": SIDE, "width": SIDE},
            }
        )
    )
    return folder


def save_untrained_writer(prompts: Sequence[str], pieces: int, seed: int, folder: Path) -> Path:
    """A GPT-2 with random weights and a vocabulary of these prompts."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(prompts, pieces, special_tokens=[_END], show_progress=False)
    tokenizer.save_model(str(folder))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer"}))
    torch.manual_seed(seed)
    end = tokenizer.token_to_id(_END)
    config = GPT2Config(
        vocab_size=tokenizer.get_vocab_size(), n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS,
        n_positions=2 * LONGEST, bos_token_id=end, eos_token_id=end,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder
