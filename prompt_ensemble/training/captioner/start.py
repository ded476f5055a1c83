"""Where a captioner's training begins: nowhere, at a prompt writer, or at a language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.models.text_decoder.decoder import DecoderSpec
from prompt_ensemble.models.text_decoder.vocabulary import learn_vocabulary
from prompt_ensemble.models.text_decoder.word_pieces import OwnPieces, WordPieces
from prompt_ensemble.models.text_decoder.writer import Writer, load_writer
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.training.captioner.language_model import import_peft, published_model
from prompt_ensemble.training.captioner.recipe import CaptionerRecipe


@dataclass(frozen=True)
class Start:
    """The decoder, its words, and weights that it begins with."""

    spec: DecoderSpec
    words: WordPieces
    weights: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """By the decoder's names; what is not among them begins at random."""
    writer: Writer | None = None
    """The prompt writer that they are from, if they are a writer's."""


def check_start(recipe: CaptionerRecipe, roots: WeightRoots) -> None:
    """Complain of what ``start_of`` would trip over, before the features are made."""
    is_published = recipe.decoder == "language-model"
    others = recipe.start_from if is_published else recipe.tuned != "frozen"
    if is_published != bool(recipe.language_model) or others:
        raise BadConfig(
            'decoder = "language-model" needs language_model, of which tuned tells how much '
            "learns, and goes without start_from; "
            f"got decoder={recipe.decoder!r}, language_model={recipe.language_model!r}, "
            f"tuned={recipe.tuned!r}, start_from={recipe.start_from!r}"
        )
    for name in (recipe.language_model, recipe.start_from):
        if name:
            roots.find(name)
    if recipe.tuned == "lora":
        import_peft()


def start_of(texts: Sequence[str], recipe: CaptionerRecipe, roots: WeightRoots) -> Start:
    """What the recipe says to start from."""
    if recipe.language_model:
        return Start(*published_model(roots.find(recipe.language_model).path, recipe))
    if recipe.start_from:
        writer, pieces, card = load_writer(roots.find(recipe.start_from).path)
        return Start(card.decoder, OwnPieces(pieces), writer.decoder.state_dict(), writer)
    pieces = learn_vocabulary(texts, recipe.vocabulary)
    spec = DecoderSpec(
        recipe.decoder, pieces.get_vocab_size(), recipe.width, recipe.layers, recipe.heads,
        recipe.longest, recipe.dropout,
    )  # fmt: skip
    return Start(spec, OwnPieces(pieces))
