"""Decoding word by word with a cache is the whole forward pass, whatever else is in the batch."""

import pytest
import torch
from models.ofa.rule_weights import coarse
from models.ofa.tiny_ofa import micro_ofa

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.models.text_generation.generation import Generation

BEAMS = 3
GENERATION = Generation(num_beams=4, max_length=12, no_repeat_ngram_size=3)
QUESTION = [0, 62, 43, 60, 63, 31, 2]
SHORTER = [0, 53, 58, 2, 1, 1, 1]


@pytest.fixture(scope="module")
def model():
    return micro_ofa()


@pytest.fixture
def images():
    return coarse("images", (3, 3, 64, 48))


def test_steps_and_reordered_beams_agree_with_the_whole_forward_pass(model, images):
    words = torch.randint(4, 96, (2 * BEAMS, 7), generator=torch.Generator().manual_seed(0))
    order = torch.tensor([2, 0, 0, 5, 4, 4])
    question = torch.tensor([QUESTION, SHORTER])
    with torch.inference_mode():
        memory = model.encode(question, images[:2])
        wide = model.encode(
            question.repeat_interleave(BEAMS, 0), images[:2].repeat_interleave(BEAMS, 0)
        )
        decoding, _ = model.begin(memory, GENERATION)
        decoding.step(words[:, :2])
        before = decoding.step(words[:, 2:3])
        decoding.reorder(order)
        after = decoding.step(words[:, 3:4])
        continued = torch.cat([words[order, :3], words[:, 3:4]], 1)
        torch.testing.assert_close(before, model.logits(words[:, :3], wide)[:, -1])
        torch.testing.assert_close(after, model.logits(continued, wide)[:, -1])


def test_a_beam_may_be_followed_by_more_beams_than_before(model, images):
    question = torch.tensor([QUESTION, QUESTION])
    start = torch.tensor([[0], [0]])
    rows = torch.tensor([0, 0, 1, 1])
    words = torch.tensor([[7], [8], [9], [10]])
    with torch.inference_mode():
        memory = model.encode(question, images[:2])
        decoding, _ = model.begin(memory, GENERATION)
        decoding.step(start)
        decoding.reorder(rows)
        steps = decoding.step(words)
        wide = model.encode(question[rows], images[rows])
        whole = model.logits(torch.cat([start[rows], words], 1), wide)[:, -1]
    torch.testing.assert_close(steps, whole)


@pytest.mark.parametrize("search", ["generate", "generate_fairseq"])
def test_an_image_says_the_same_alone_in_a_batch_and_beside_padding(model, images, search):
    questions = torch.tensor([QUESTION, SHORTER, QUESTION])
    with torch.inference_mode():
        together = getattr(model, search)(questions, images, GENERATION)
        for number, (question, image) in enumerate(zip(questions, images, strict=True)):
            kept = question[question != 1]
            (alone,) = getattr(model, search)(kept[None], image[None], GENERATION)
            assert [best.tokens for best in alone] == [best.tokens for best in together[number]]
            assert alone[0].score == pytest.approx(together[number][0].score, abs=1e-4)


def test_images_decide_what_is_said(model, images):
    with torch.inference_mode():
        found = model.generate(torch.tensor([QUESTION] * 3), images, GENERATION)
    assert len({tuple(hypotheses[0].tokens) for hypotheses in found}) > 1


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_mixed_precision_stays_close(model, images, dtype):
    words = torch.tensor([[0, 7, 8, 9]])
    question = torch.tensor([QUESTION])
    with torch.inference_mode():
        exact = model.logits(words, model.encode(question, images[:1]))
        with torch.autocast("cpu", dtype=dtype):
            rough = model.logits(words, model.encode(question, images[:1]))
    assert rough.dtype == dtype
    assert torch.corrcoef(torch.stack([exact.flatten(), rough.float().flatten()]))[0, 1] > 0.999


def test_captions_longer_than_the_position_table_are_refused(model, images):
    with pytest.raises(BadConfig, match="at most 40 tokens"):
        model.generate(torch.tensor([QUESTION]), images[:1], Generation(max_length=41))


def test_pictures_larger_than_the_position_table_are_refused(model):
    with pytest.raises(BadConfig, match="at most 96 x 96 pixels"):
        model.encode(torch.tensor([QUESTION]), coarse("large", (1, 3, 64, 112)))
