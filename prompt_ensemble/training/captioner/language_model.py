"""A published language model as the decoder that learns: as it is, by LoRA, or all of it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import torch

from prompt_ensemble.core.errors import BadConfig, BadWeights
from prompt_ensemble.core.extras import import_extra
from prompt_ensemble.models.folders import opening
from prompt_ensemble.models.text_decoder.decoder import DecoderSpec, TextDecoder
from prompt_ensemble.models.text_decoder.language_model import (
    LanguageModelDecoder,
    causal_class,
)
from prompt_ensemble.models.text_decoder.word_pieces import PublishedPieces, WordPieces
from prompt_ensemble.models.transformers_folders import load_model, load_tokenizer
from prompt_ensemble.models.weights import model_type
from prompt_ensemble.training.captioner.recipe import CaptionerRecipe

_OF_THE_FILE = ("architectures", "dtype", "transformers_version")
"""Keys of a config that say how it was written, not what it describes."""
_FEWEST_TOKENS = 4
_TEXT = "text."
"""Where the decoder keeps the language model."""


def published_model(
    folder: Path, recipe: CaptionerRecipe
) -> tuple[DecoderSpec, WordPieces, Mapping[str, torch.Tensor]]:
    """The decoder's specification, its words, and the folder's weights by the decoder's names."""
    with opening(folder):
        kind = model_type(folder)
        model = load_model(causal_class(kind), folder, kind)
        vocabulary, width = model.get_input_embeddings().weight.shape
        words = PublishedPieces(load_tokenizer(folder), vocabulary)
        config = json.loads(model.config.to_json_string())
        relevant = {key: value for key, value in config.items() if key not in _OF_THE_FILE}
        spec = DecoderSpec(
            "language-model", vocabulary, width,
            getattr(model.config, "num_hidden_layers", 0),
            getattr(model.config, "num_attention_heads", 0),
            _longest(model.config, recipe, folder),
            language_model={**relevant, "model_type": kind},
        )  # fmt: skip
        _refuse_unless_causal(spec, model, folder)
        weights = {_TEXT + name: tensor for name, tensor in model.state_dict().items()}
        return spec, words, weights | _prefix_like_words(model, width)


def _longest(config: object, recipe: CaptionerRecipe, folder: Path) -> int:
    """Tokens of a caption: the recipe's, as far as the model has positions behind the image's."""
    rows = max(recipe.rows, recipe.cells**2)
    room = (getattr(config, "max_position_embeddings", None) or recipe.longest + rows) - rows
    if room < _FEWEST_TOKENS:
        raise BadConfig(
            f"{folder} has positions for {rows + room} tokens, and {rows} are the image's; set "
            "fewer rows or cells"
        )
    return min(recipe.longest, room)


def _refuse_unless_causal(spec: DecoderSpec, model: torch.nn.Module, folder: Path) -> None:
    """Refuse a model that looks ahead, as encoders do, or that cannot go on word by word."""
    decoder = LanguageModelDecoder(spec).eval()
    decoder.text = model
    tokens = torch.arange(3)[None] % spec.vocabulary
    memory = torch.randn(1, 2, spec.width, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole = decoder(tokens, memory)
        try:
            decoding = decoder.begin(memory)
            steps = torch.stack([decoding.step(tokens[:, [place]]) for place in range(3)], 1)
        except (AttributeError, TypeError):  # no cache of the kind that transformers' decoders have
            steps = torch.full_like(whole, torch.nan)
    if not torch.allclose(steps, whole, atol=1e-2, rtol=1e-2):
        raise BadWeights(
            f"{folder} does not write word by word as decoders with a cache do; name a causal "
            "language model, such as gpt2, opt or llama"
        )


def _prefix_like_words(model: torch.nn.Module, width: int) -> dict[str, torch.Tensor]:
    """The memory's rows begin as large as words are, lest they drown them."""
    words: torch.Tensor = model.get_input_embeddings().weight.detach()  # type: ignore[operator]
    size = float(words.std())
    return {"prefix.3.weight": torch.full((width,), size)}


def choose_what_learns(decoder: TextDecoder, recipe: CaptionerRecipe) -> None:
    """Make the language model's weights learn as the recipe says; other decoders learn whole."""
    if not isinstance(decoder, LanguageModelDecoder):
        return
    decoder.text.requires_grad_(recipe.tuned == "whole")
    if recipe.tuned == "lora":
        peft = import_peft()
        config = peft.LoraConfig(
            task_type="CAUSAL_LM", r=recipe.lora_rank, lora_alpha=2 * recipe.lora_rank,
            target_modules="all-linear",
        )  # fmt: skip
        with warnings.catch_warnings():
            # It says that GPT-2's matrices lie on their side, and turns them.
            warnings.filterwarnings("ignore", message="fan_in_fan_out")
            decoder.text = peft.get_peft_model(decoder.text, config)


def import_peft() -> ModuleType:
    """What LoRA needs, or one line that says how to install it."""
    return import_extra(
        "peft", "training", 'tuned = "lora" needs peft', 'set tuned = "frozen" or "whole"'
    )


def merge_what_was_learnt(decoder: TextDecoder) -> None:
    """Add what LoRA has learnt to the language model's own weights."""
    if isinstance(decoder, LanguageModelDecoder) and hasattr(decoder.text, "merge_and_unload"):
        decoder.text = decoder.text.merge_and_unload()
