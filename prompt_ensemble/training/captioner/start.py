"""Where a captioner's training begins: nowhere, at a writer, a captioner, or a language model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.models.text_decoder.captioner import (
    DESCRIPTION,
    CaptionerCard,
    load_captioner,
    read_captioner_card,
)
from prompt_ensemble.models.text_decoder.decoder import DecoderSpec
from prompt_ensemble.models.text_decoder.vocabulary import learn_vocabulary
from prompt_ensemble.models.text_decoder.word_pieces import OwnPieces, WordPieces
from prompt_ensemble.models.text_decoder.writer import Writer, load_writer
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.training.captioner.language_model import import_peft, published_model
from prompt_ensemble.training.captioner.recipe import CaptionerRecipe


@dataclass(frozen=True)
class Start:
    """The decoder, its words, and weights that the captioner begins with."""

    spec: DecoderSpec
    words: WordPieces
    weights: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """By the captioner's names; what is not among them begins at random."""
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
        spec, words, weights = published_model(roots.find(recipe.language_model).path, recipe)
        return Start(spec, words, _of_the_decoder(weights))
    if captioner := started_captioner(recipe, roots):
        found, its_words = load_captioner(captioner)
        return Start(found.card.decoder, its_words, found.state_dict())
    if recipe.start_from:
        writer, pieces, card = load_writer(roots.find(recipe.start_from).path)
        weights = _of_the_decoder(writer.decoder.state_dict())
        return Start(card.decoder, OwnPieces(pieces), weights, writer)
    pieces = learn_vocabulary(texts, recipe.vocabulary)
    spec = DecoderSpec(
        recipe.decoder, pieces.get_vocab_size(), recipe.width, recipe.layers, recipe.heads,
        recipe.longest, recipe.dropout,
    )  # fmt: skip
    return Start(spec, OwnPieces(pieces))


def started_captioner(recipe: CaptionerRecipe, roots: WeightRoots) -> Path | None:
    """The folder of the captioner that training goes on from, if it is one."""
    path = roots.find(recipe.start_from).path if recipe.start_from else None
    return path if path and (path / DESCRIPTION).is_file() else None


def going_on_from(name: str, recipe: CaptionerRecipe, roots: WeightRoots) -> CaptionerRecipe:
    """The recipe with all that must be as it is in a saved captioner."""
    card = read_captioner_card(roots.find(name).path)
    return replace(
        recipe, start_from=name, library=card.tower.library, tower=card.tower.name,
        backbone=card.tower.backbone or "", cells=card.cells, rows=card.rows,
        decoder=card.decoder.kind, language_model="",
    )  # fmt: skip


def check_same_shape(card: CaptionerCard, recipe: CaptionerRecipe, roots: WeightRoots) -> None:
    """Refuse to go on from a captioner with another tower or another memory."""
    folder = started_captioner(recipe, roots)
    if folder is None:
        return
    known = read_captioner_card(folder)
    for name in ("tower", "preprocessing", "cells", "rows", "features"):
        ours, theirs = getattr(card, name), getattr(known, name)
        if ours != theirs:
            raise BadConfig(
                f"start_from={recipe.start_from!r} has {name}={theirs}, the recipe {ours}; "
                "let 'train captioner --from' set what must be the same"
            )


def _of_the_decoder(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The decoder's weights by the captioner's names."""
    return {f"decoder.{name}": tensor for name, tensor in weights.items()}
