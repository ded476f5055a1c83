"""What the authors' own code was recorded to compute, on weights that follow from their names."""

from pathlib import Path

import numpy as np
import pytest
import torch
from models.ofa.make_goldens import ENCODER_STRIDE, LOGITS_STRIDE
from models.ofa.port_adapter import fairseq_generation, hypotheses, sequences
from models.ofa.rule_weights import coarse
from models.ofa.tiny_ofa import GOLDENS, micro_ofa

from prompt_ensemble.models.text_generation.generation import Generation

TOLERANCE = 1e-4
ARRAYS = np.load(Path(__file__).with_name("goldens.npz"))


def case_inputs(case):
    """Ids, pictures, ids to decode, which of them to hide, and which rows are image codes."""
    images = None if case["images"] is None else coarse("patch_images", case["images"])
    mask, codes = case.get("decoder_attention_mask"), case.get("code_masks")
    return (
        torch.tensor(case["input_ids"]),
        images,
        torch.tensor(case["decoder_input_ids"]),
        None if mask is None else torch.tensor(mask) == 0,
        None if codes is None else torch.tensor(codes),
    )


@pytest.mark.parametrize("name", GOLDENS["cases"])
def test_encoder_and_logits_are_the_authors(name):
    case = GOLDENS["cases"][name]
    model = micro_ofa(c_attn_all_ones=case["c_attn_all_ones"], **case["differs"])
    ids, images, decoded, padding, codes = case_inputs(case)
    with torch.inference_mode():
        memory = model.encode(ids, images)
        read = ~memory.padding if memory.padding is not None else slice(None)
        expected = torch.from_numpy(ARRAYS[f"{name}.encoder"])
        found = memory.hidden[..., ::ENCODER_STRIDE]
        torch.testing.assert_close(found[read], expected[read], atol=TOLERANCE, rtol=0)
        if f"{name}.logits" in ARRAYS.files:
            logits = model.logits(decoded, memory, padding, codes)[..., ::LOGITS_STRIDE]
            expected, real = torch.from_numpy(ARRAYS[f"{name}.logits"]), decoded != 1
            torch.testing.assert_close(logits[real], expected[real], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("number", range(len(GOLDENS["captions"])))
def test_captions_are_the_authors(number):
    recorded = GOLDENS["captions"][number]
    model = micro_ofa(
        recorded["seed"], recorded["eos_row_doubled"], vocab_size=recorded["vocab_size"]
    )
    ids, images = torch.tensor(recorded["input_ids"]), coarse("gen.img", (2, 3, 64, 48))
    with torch.inference_mode():
        if recorded["generator"] == "hf":
            generation = Generation(scoring="2023", **recorded["args"])
            found = model.generate(ids, images, generation)
            assert sequences(found) == recorded["sequences"]
            return
        generation = fairseq_generation(**recorded["args"])
        found = hypotheses(model.generate_fairseq(ids, images, generation))
    for kept, expected in zip(found, recorded["hypos"], strict=True):
        assert [tokens for tokens, _ in kept] == [row["tokens"] for row in expected]
        scores = [row["score"] for row in expected]
        assert [score for _, score in kept] == pytest.approx(scores, abs=2e-4)
