"""Greedy captions are those of transformers' own ``generate``, one image at a time."""

import pytest
import torch

from prompt_ensemble.captioners.hugging_face import (
    load_model,
    load_preprocessing,
    load_tokenizer,
    reader,
)

LENGTH = 14


def generated(kind, folder, pixels):
    import transformers

    model_class, name = {
        "blip": (transformers.BlipForConditionalGeneration, "blip"),
        "git": (transformers.GitForCausalLM, "git"),
        "encoder-decoder": (transformers.VisionEncoderDecoderModel, "vision-encoder-decoder"),
    }[kind]
    model = load_model(model_class, folder, name)
    read = reader(load_tokenizer(folder))
    images = load_preprocessing(folder).normalise(pixels)
    options = {"max_length": LENGTH, "num_beams": 1, "do_sample": False}
    texts = []
    for image in images:
        tokens = model.generate(pixel_values=image[None], **options)[0].tolist()
        start = tokens[0]
        kept = tokens[1:]
        end = {"blip": 102, "git": 102, "encoder-decoder": start}[kind]
        texts.append(read(kept[: kept.index(end)] if end in kept else kept))
    return texts


@pytest.mark.parametrize("kind", ["blip", "git", "encoder-decoder"])
def test_greedy_captions_are_those_of_generate(captioners, caption, pixels, kind):
    options = {"num_beams": 1, "max_length": LENGTH, "min_length": 0}
    ours = [row[0].text for row in caption(kind, captioners / kind, pixels, **options)]
    with torch.inference_mode():
        assert ours == generated(kind, captioners / kind, pixels)
