"""Decoding step by step, with an image's memory shared by its beams, is the whole forward pass."""

import pytest
import torch
from tiny_captioners import coca_model

from prompt_ensemble.members.captioners import blip, coca, encoder_decoder, git
from prompt_ensemble.models.transformers_folders import load_model

BEAMS = 3
EXCLAMATION = 0
"""CLIP's "!", which CoCa takes for padding."""


@pytest.fixture(params=["blip", "git", "encoder-decoder", "coca"])
def network(request, captioners):
    """A loaded network, its ``begin``, its whole forward pass, and how many words it knows."""

    from transformers import (
        BlipForConditionalGeneration,
        GitForCausalLM,
        VisionEncoderDecoderModel,
    )

    if request.param == "coca":
        model = coca_model()
        return model, coca.begin, lambda p, t: model(p, t, output_labels=False)["logits"], 49408
    module, model_class, kind, words = {
        "blip": (blip, BlipForConditionalGeneration, "blip", 30000),
        "git": (git, GitForCausalLM, "git", 30000),
        "encoder-decoder": (
            encoder_decoder,
            VisionEncoderDecoderModel,
            "vision-encoder-decoder",
            11,
        ),
    }[request.param]
    model = load_model(model_class, captioners / request.param, kind)
    if request.param == "encoder-decoder":
        return model, module.begin, lambda p, t: model(p, decoder_input_ids=t).logits, words
    return model, module.begin, lambda p, t: model(input_ids=t, pixel_values=p).logits, words


def test_steps_and_reordered_beams_agree_with_the_whole_forward_pass(network):
    model, begin, forward, words = network
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn(2, 3, 32, 32, generator=generator)
    tokens = torch.randint(0, words, (2 * BEAMS, 6), generator=generator)
    tokens[1, 2] = EXCLAMATION
    order = torch.tensor([1, 0, 2, 5, 5, 3])
    with torch.inference_mode():
        whole = forward(pixels.repeat_interleave(BEAMS, 0), tokens)[:, -6:]
        decoding = begin(model, pixels)
        steps = [decoding.step(tokens[:, :2])]
        steps += [decoding.step(tokens[:, t : t + 1]) for t in range(2, 4)]
        decoding.reorder(order)
        continued = torch.cat([tokens[order, :4], tokens[:, 4:]], 1)
        steps += [decoding.step(tokens[:, t : t + 1]) for t in range(4, 6)]
        after = forward(pixels.repeat_interleave(BEAMS, 0), continued)[:, -6:]
    for step, expected in zip(
        steps, [*whole[:, 1:4].unbind(1), *after[:, 4:].unbind(1)], strict=True
    ):
        torch.testing.assert_close(step, expected, atol=1e-3, rtol=1e-4)
    assert whole.std() > 0.1


def test_blips_fused_vision_is_that_of_transformers(captioners):
    from transformers import BlipForConditionalGeneration

    from prompt_ensemble.members.captioners.blip_vision import encode_images

    tower = load_model(BlipForConditionalGeneration, captioners / "blip", "blip").vision_model
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        torch.testing.assert_close(encode_images(tower, pixels), tower(pixels).last_hidden_state)
