"""Captions are those of transformers' own ``generate``, one image at a time, at full length."""

import pytest
import torch

from prompt_ensemble.models.transformers_folders import (
    load_model,
    load_preprocessing,
    load_tokenizer,
    reader,
)

LENGTH = 14


SEARCHES = {
    "greedy": {"num_beams": 1},
    "beams": {"num_beams": 4, "length_penalty": 0.0},
    "beams that may not repeat": {
        "num_beams": 3,
        "length_penalty": 0.0,
        "no_repeat_ngram_size": 2,
        "min_length": 6,
    },
}


MODELS = {
    "blip": ("BlipForConditionalGeneration", "blip"),
    "blip2": ("Blip2ForConditionalGeneration", "blip-2"),
    "florence2": ("Florence2ForConditionalGeneration", "florence2"),
    "git": ("GitForCausalLM", "git"),
    "encoder-decoder": ("VisionEncoderDecoderModel", "vision-encoder-decoder"),
}
ENDS = {"blip": 102, "blip2": 3, "florence2": 2, "git": 102, "encoder-decoder": 10}
STARTS = {"blip2": 4 + 1, "florence2": 1}
"""Tokens before the caption, the words that stand for the image among them; 1 for the others."""


def generated(kind, folder, pixels, search):
    import transformers

    name, model_type = MODELS[kind]
    model = load_model(getattr(transformers, name), folder, model_type)
    tokenizer = load_tokenizer(folder)
    read = reader(tokenizer)
    options = {"do_sample": False, "max_new_tokens": LENGTH - 1} | search
    options["min_new_tokens"] = options.pop("min_length", 1) - 1
    if kind == "florence2":
        options |= asked(model, tokenizer)
    texts = []
    for image in load_preprocessing(folder).normalise(pixels):
        tokens = model.generate(pixel_values=image[None], **options)[0].tolist()
        words = tokens[STARTS.get(kind, 1) :]
        texts.append(read(words[: words.index(ENDS[kind])] if ENDS[kind] in words else words))
    return texts


def asked(model, tokenizer):
    """Florence-2's input: 16 places for the image and one for its mean, then the question."""
    question = tokenizer("What does the image describe?").input_ids
    return {"input_ids": torch.tensor([[model.config.image_token_id] * 17 + question])}


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
@pytest.mark.parametrize("kind", MODELS)
def test_captions_are_those_of_generate(captioners, caption, pixels, kind, search):
    options = {"max_length": LENGTH, "min_length": 0, "no_repeat_ngram_size": 0} | search
    ours = [row[0].text for row in caption(kind, captioners / kind, pixels, **options)]
    with torch.inference_mode():
        assert ours == generated(kind, captioners / kind, pixels, search)
