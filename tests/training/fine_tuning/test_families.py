"""Every family learns what it will say: its loss, its LoRA layers, and sixteen pairs by heart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from open_clip import CoCaLoss
from tiny_captioners import SAVE

from prompt_ensemble.members.captioners.tunable_captioner import Published, TunableCaptioner
from prompt_ensemble.members.registry import predictor_class
from prompt_ensemble.models.device import choose_placement
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.training.fine_tuning.caption_batches import NOT_LEARNT, Frame, framed
from prompt_ensemble.training.fine_tuning.families import FAMILIES
from prompt_ensemble.training.fine_tuning.fine_tuner import caption_loss
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


def batch_of(
    predictor: TunableCaptioner, published: Published, frame: Frame
) -> tuple[torch.Tensor, torch.Tensor]:
    return framed([predictor.pieces(published, text) for text in TEXTS], frame)


def loss_of(
    predictor: TunableCaptioner, published: Published, frame: Frame, pixels: torch.Tensor
) -> torch.Tensor:
    tokens, labels = batch_of(predictor, published, frame)
    logits = predictor.logits(published, published.preprocessing.normalise(pixels), tokens)
    return caption_loss(logits, labels) / (labels[:, 1:] != NOT_LEARNT).sum()


def loss_of_the_library(
    kind: str,
    model: Any,
    pixels: torch.Tensor,
    tokens: torch.Tensor,
    labels: torch.Tensor,
    question: torch.Tensor,
) -> torch.Tensor:
    """What transformers or open_clip compute in training from the same images and texts."""
    if kind == "coca":
        # open_clip pads by zeros, which it leaves out.
        is_text = (labels != NOT_LEARNT) | (torch.arange(tokens.shape[1]) == 0)
        output = model(pixels, tokens.where(is_text, torch.zeros_like(tokens)))
        judge = CoCaLoss(caption_loss_weight=1.0, clip_loss_weight=0.0)
        return judge(**output)[1]  # type: ignore[no-any-return]
    if kind == "blip2":
        queries = model.config.num_query_tokens
        before = tokens.new_full((len(tokens), queries), model.config.image_token_index)
        tokens = torch.cat([before, tokens], 1)
        labels = torch.cat([torch.full_like(before, NOT_LEARNT), labels], 1)
    if kind == "florence2":
        squares = model.model.get_image_features(pixels).pooler_output.shape[1]
        image = tokens.new_full((len(tokens), squares), model.config.image_token_id)
        question = torch.cat([image, question.expand(len(tokens), -1)], 1)
        return model(
            pixel_values=pixels, input_ids=question, decoder_input_ids=tokens[:, :-1],
            labels=labels[:, 1:].contiguous(),
        ).loss  # type: ignore[no-any-return] # fmt: skip
    if kind == "encoder-decoder":
        return model(  # type: ignore[no-any-return]
            pixel_values=pixels, decoder_input_ids=tokens[:, :-1], labels=labels[:, 1:]
        ).loss
    more = {"use_cache": False} if kind == "git" else {}
    return model(  # type: ignore[no-any-return]
        pixel_values=pixels, input_ids=tokens, labels=labels,
        attention_mask=torch.ones_like(tokens), **more,
    ).loss  # fmt: skip


@KINDS
def test_the_loss_is_the_librarys_own(tmp_path: Path, pixels: torch.Tensor, kind: str) -> None:
    predictor, published, frame = opened(kind, tmp_path)
    if kind == "blip":
        published.model.text_decoder.label_smoothing = 0.0
    asked = getattr(predictor.options, "question", "")
    question = torch.tensor(predictor.pieces(published, f"<s>{asked}</s>") if asked else [])
    tokens, labels = batch_of(predictor, published, frame)
    seen = published.preprocessing.normalise(pixels[:3])
    with torch.no_grad():
        ours = loss_of(predictor, published, frame, pixels[:3])
        theirs = loss_of_the_library(kind, published.model, seen, tokens, labels, question)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@KINDS
def test_what_is_masked_gets_no_gradient(tmp_path: Path, pixels: torch.Tensor, kind: str) -> None:
    """Nor does the image token: only what stands before a learnt label does."""
    predictor, published, frame = opened(kind, tmp_path)
    tokens, labels = batch_of(predictor, published, frame)
    seen = published.preprocessing.normalise(pixels[:3])
    logits = predictor.logits(published, seen, tokens)
    logits.retain_grad()
    caption_loss(logits, labels, 0.1).backward()
    assert logits.grad is not None
    is_moved = logits.grad.abs().sum(-1) > 0
    expected = torch.cat([labels[:, 1:] != NOT_LEARNT, torch.zeros(3, 1, dtype=torch.bool)], 1)
    assert torch.equal(is_moved, expected)
    assert expected.sum() == sum(len(predictor.pieces(published, text)) + 1 for text in TEXTS)


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
