"""Every family learns what it will say: its loss, its LoRA layers, and sixteen pairs by heart."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_captioners import SAVE
from torch.nn.functional import cross_entropy

from prompt_ensemble.members.captioners.tunable_captioner import Published, TunableCaptioner
from prompt_ensemble.members.registry import predictor_class
from prompt_ensemble.models.device import choose_placement
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.training.fine_tuning.caption_batches import NOT_LEARNT, Frame, framed
from prompt_ensemble.training.fine_tuning.families import FAMILIES
from prompt_ensemble.training.fine_tuning.learning_parts import LearningParts
from prompt_ensemble.training.fine_tuning.recipe import FineTuneRecipe

KINDS = pytest.mark.parametrize("kind", sorted(FAMILIES))
TEXTS = ("a b", "a b c ab.", "c")


def opened(kind: str, folder: Path) -> tuple[TunableCaptioner, Published, Frame]:
    found = predictor_class(kind)
    predictor = found(str(SAVE[kind](folder / kind)), found.Options(), WeightRoots.usual())
    assert isinstance(predictor, TunableCaptioner)
    published = predictor.read(choose_placement("cpu"))
    searching = predictor.searching(published)
    opening = searching.rules.opening(len(searching.prompt))
    return predictor, published, Frame((*searching.prompt, *opening), searching.end, 12)


def loss_of(
    predictor: TunableCaptioner, published: Published, frame: Frame, pixels: torch.Tensor
) -> torch.Tensor:
    tokens, labels = framed([predictor.pieces(published, text) for text in TEXTS], frame)
    logits = predictor.logits(published, published.preprocessing.normalise(pixels), tokens)
    return cross_entropy(
        logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=NOT_LEARNT
    )


@KINDS
def test_what_pads_a_batch_changes_no_logits(
    tmp_path: Path, pixels: torch.Tensor, kind: str
) -> None:
    predictor, published, frame = opened(kind, tmp_path)
    seen = published.preprocessing.normalise(pixels[:1])
    tokens, _ = framed([predictor.pieces(published, TEXTS[0])], frame)
    padded = torch.cat([tokens, tokens.new_full((1, 3), frame.end)], 1)
    with torch.no_grad():
        alone, beside = (predictor.logits(published, seen, rows) for rows in (tokens, padded))
    torch.testing.assert_close(beside[:, : tokens.shape[1]], alone, atol=1e-4, rtol=1e-4)


@KINDS
def test_training_asks_as_captioning_does(tmp_path: Path, pixels: torch.Tensor, kind: str) -> None:
    """Step by step, as the search goes, the same logits come out."""
    predictor, published, frame = opened(kind, tmp_path)
    seen = published.preprocessing.normalise(pixels[:2])
    tokens, _ = framed([predictor.pieces(published, text) for text in ("a b", "a c")], frame)
    with torch.no_grad():
        decoding = predictor.searching(published).begin(seen)
        steps = torch.stack([decoding.step(one[:, None]) for one in tokens.unbind(1)], 1)
        whole = predictor.logits(published, seen, tokens)
    torch.testing.assert_close(whole, steps, atol=2e-3, rtol=2e-3)


@KINDS
def test_lora_merged_says_what_lora_said(tmp_path: Path, pixels: torch.Tensor, kind: str) -> None:
    pytest.importorskip("peft")
    predictor, published, frame = opened(kind, tmp_path)
    recipe = FineTuneRecipe(tuned="lora", lora_rank=2, gradient_checkpointing=True)
    parts = LearningParts(published.model, FAMILIES[kind], recipe)
    learning = [p for p in published.model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-2)
    published.model.train()
    for _ in range(3):
        loss_of(predictor, published, frame, pixels[:3]).backward()
        optimizer.step()
        optimizer.zero_grad()
    published.model.eval()
    with torch.no_grad():
        before = loss_of(predictor, published, frame, pixels[:3])
        parts.merge(tmp_path)
        after = loss_of(predictor, published, frame, pixels[:3])
    assert after == pytest.approx(float(before), abs=1e-4)
    assert not any("lora" in name for name in published.model.state_dict())
