"""All decoders: training and step by step they say the same."""

from __future__ import annotations

import pytest
import torch
from tiny_language_model import spec as language_model_spec
from tiny_writer import TEXTS, tiny_spec

from prompt_ensemble.models.text_decoder.decoder import TextDecoder
from prompt_ensemble.models.text_decoder.decoder_kinds import build_decoder
from prompt_ensemble.models.text_decoder.vocabulary import encode_texts, learn_vocabulary
from prompt_ensemble.models.text_generation.decoding import LeavableDecoding

TOKENIZER = learn_vocabulary(TEXTS, 120)
KINDS = pytest.mark.parametrize("kind", ["transformer", "recurrent", "language-model"])


def decoder_of(kind: str) -> TextDecoder:
    torch.manual_seed(0)
    spec = language_model_spec() if kind == "language-model" else tiny_spec(TOKENIZER, kind)
    return build_decoder(spec).eval()


@KINDS
@torch.inference_mode()
def test_step_by_step_gives_the_logits_of_the_whole_text(kind: str) -> None:
    decoder = decoder_of(kind)
    memory = torch.randn(2, 3, decoder.spec.width)
    tokens = encode_texts(TOKENIZER, TEXTS[:2], 12)
    whole = decoder(tokens, memory)
    decoding = decoder.begin(memory)
    steps = [decoding.step(tokens[:, place : place + 1]) for place in range(tokens.shape[1])]
    assert torch.allclose(torch.stack(steps, 1), whole, atol=1e-4)


@KINDS
@torch.inference_mode()
def test_reordered_rows_go_on_as_the_rows_they_are(kind: str) -> None:
    decoder = decoder_of(kind)
    memory = torch.randn(1, 3, decoder.spec.width)
    decoding = decoder.begin(memory)
    decoding.step(torch.tensor([[1]]))
    decoding.reorder(torch.tensor([0, 0]))
    decoding.step(torch.tensor([[5], [6]]))
    decoding.reorder(torch.tensor([1, 0]))
    after = decoding.step(torch.tensor([[7], [7]]))
    straight = decoder(torch.tensor([[1, 6, 7], [1, 5, 7]]), memory.repeat(2, 1, 1))
    assert torch.allclose(after, straight[:, -1], atol=1e-4)


@KINDS
@torch.inference_mode()
def test_rows_that_stay_go_on_as_if_the_others_had_never_been(kind: str) -> None:
    decoder = decoder_of(kind)
    memory = torch.randn(2, 3, decoder.spec.width)
    decoding = decoder.begin(memory)
    assert isinstance(decoding, LeavableDecoding)
    decoding.step(torch.tensor([[1], [1], [1], [1]]))  # two texts of each image
    decoding.step(torch.tensor([[5], [6], [7], [8]]))
    decoding.keep(torch.tensor([0, 2, 3]))  # no longer as many of each
    decoding.step(torch.tensor([[9], [9], [9]]))
    decoding.keep(torch.tensor([2]))
    after = decoding.step(torch.tensor([[4]]))
    straight = decoder(torch.tensor([[1, 8, 9, 4]]), memory[1:])
    assert torch.allclose(after, straight[:, -1], atol=1e-4)


@KINDS
@torch.inference_mode()
def test_a_text_does_not_hang_on_the_others_of_its_batch(kind: str) -> None:
    decoder = decoder_of(kind)
    memory = torch.randn(4, 3, decoder.spec.width)
    tokens = encode_texts(TOKENIZER, TEXTS[:4], 12)
    alone = decoder(tokens[2:3], memory[2:3])
    assert torch.allclose(decoder(tokens, memory)[2:3], alone, atol=1e-4)


@KINDS
def test_padding_costs_nothing(kind: str) -> None:
    decoder = decoder_of(kind)
    memory = torch.randn(1, 3, decoder.spec.width)
    tokens = encode_texts(TOKENIZER, TEXTS[:1], 24)
    padded = torch.cat([tokens, torch.full((1, 4), decoder.pad)], 1)
    with torch.inference_mode():
        losses = decoder.loss(tokens, memory), decoder.loss(padded, memory)
    assert float(losses[1]) == pytest.approx(float(losses[0]), abs=1e-5)
