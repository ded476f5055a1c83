"""Captions are those of transformers' own ``generate``, one image at a time.

Beam scores are divided by lengths that transformers has changed over the years, so beams are
compared where length plays no part.
"""

import pytest
import torch

from prompt_ensemble.captioners.hugging_face import (
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


def generated(kind, folder, pixels, search):
    import transformers

    model_class, name = {
        "blip": (transformers.BlipForConditionalGeneration, "blip"),
        "blip2": (transformers.Blip2ForConditionalGeneration, "blip-2"),
        "git": (transformers.GitForCausalLM, "git"),
        "encoder-decoder": (transformers.VisionEncoderDecoderModel, "vision-encoder-decoder"),
    }[kind]
    model = load_model(model_class, folder, name)
    read = reader(load_tokenizer(folder))
    images = load_preprocessing(folder).normalise(pixels)
    image_words = 4 if kind == "blip2" else 0  # which generate counts as text
    options = {"do_sample": False, "max_new_tokens": LENGTH - 1} | search
    options["min_new_tokens"] = options.pop("min_length", 1) - 1
    texts = []
    for image in images:
        tokens = model.generate(pixel_values=image[None], **options)[0].tolist()
        start, *kept = tokens[image_words:]
        end = {"blip": 102, "blip2": 3, "git": 102, "encoder-decoder": start}[kind]
        texts.append(read(kept[: kept.index(end)] if end in kept else kept))
    return texts


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
@pytest.mark.parametrize("kind", ["blip", "blip2", "git", "encoder-decoder"])
def test_captions_are_those_of_generate(captioners, caption, pixels, kind, search):
    if kind == "blip2" and "no_repeat_ngram_size" in search:
        pytest.skip("generate counts the words that stand for the image as said")
    options = {"max_length": LENGTH, "min_length": 0} | search
    ours = [row[0].text for row in caption(kind, captioners / kind, pixels, **options)]
    with torch.inference_mode():
        assert ours == generated(kind, captioners / kind, pixels, search)
