"""Captions are those of today's ``generate``, text for text, whatever the settings.

The networks are random, but end their captions: the end token is made likelier until captions of
many lengths come out. ``generate`` captions one image at a time, we a batch.
"""

import itertools

import pytest
import torch
import transformers
from captioners.test_against_generate import ENDS, MODELS, STARTS, asked
from captioners.tiny_captioners import SAVE

import prompt_ensemble  # noqa: F401  (before transformers: it makes torchvision importable)
from prompt_ensemble.captioners.hugging_face import (
    load_model,
    load_preprocessing,
    load_tokenizer,
    reader,
)

LENGTH = 14
IMAGES = 9
PRODUCTS = {"blip": 5.0, "git": 5.0, "blip2": 2.0, "florence2": 6.0, "encoder-decoder": 3.0}
"""How much more the end token's logit varies, so that it is the likeliest word now and then."""
SEARCHES = {
    f"penalty {penalty}, stopping {stopping}": {
        "num_beams": 4,
        "length_penalty": penalty,
        "early_stopping": stopping,
    }
    for penalty, stopping in itertools.product((-1.0, 0.0, 0.6, 1.0, 2.0), (False, True, "never"))
} | {
    "greedy, repeats discouraged": {"num_beams": 1, "repetition_penalty": 1.3},
    "repeats discouraged": {"num_beams": 3, "repetition_penalty": 1.5, "length_penalty": 1.0},
    "no repeats": {"num_beams": 3, "no_repeat_ngram_size": 2, "length_penalty": 1.0},
    "at least five words": {"num_beams": 3, "min_new_tokens": 5, "length_penalty": 0.6},
}


def the_model(kind, folder):
    name, model_type = MODELS[kind]
    return load_model(getattr(transformers, name), folder, model_type)


def word_scores(model):
    """The last layer, which some models keep in the part that speaks."""
    parts = (getattr(model, name, None) for name in ("text_decoder", "decoder", "language_model"))
    layers = (part.get_output_embeddings() for part in (model, *parts) if part is not None)
    return next(layer for layer in layers if layer is not None)


@pytest.fixture(scope="module")
def ending(tmp_path_factory):
    """Folders of networks whose captions end at many lengths."""
    root = tmp_path_factory.mktemp("ending")
    for kind in MODELS:
        torch.manual_seed(0)
        SAVE[kind](root / kind)
        model = the_model(kind, root / kind)
        with torch.no_grad():
            word_scores(model).weight[ENDS[kind]] *= PRODUCTS[kind]
        model.save_pretrained(root / kind)
    return root


@pytest.fixture(scope="module")
def pictures():
    generator = torch.Generator().manual_seed(11)
    return torch.randint(0, 256, (IMAGES, 3, 32, 32), dtype=torch.uint8, generator=generator)


def generated(kind, folder, pictures, search):
    """What ``generate`` says of each image alone."""
    model, tokenizer = the_model(kind, folder), load_tokenizer(folder)
    options = {"do_sample": False, "max_new_tokens": LENGTH - 1, "min_new_tokens": 0} | search
    if kind == "florence2":
        options |= asked(model, tokenizer) | {"forced_bos_token_id": 0, "forced_eos_token_id": None}
    end, start, read = ENDS[kind], STARTS.get(kind, 1), reader(tokenizer)
    tokens = [
        model.generate(pixel_values=image[None], **options)[0].tolist()[start:]
        for image in load_preprocessing(folder).normalise(pictures)
    ]
    cut = [said[: said.index(end)] if end in said else said for said in tokens]
    return [read(said) for said in cut], [len(said) for said in cut]


@pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)
@pytest.mark.parametrize("kind", MODELS)
def test_captions_are_those_of_generate(ending, caption, pictures, kind, search):
    if kind == "blip2" and {"no_repeat_ngram_size", "repetition_penalty"} & search.keys():
        pytest.skip("generate counts the words that stand for the image as said")
    options = {"max_length": LENGTH, "min_length": 0, "no_repeat_ngram_size": 0} | search
    ours = [row[0].text for row in caption(kind, ending / kind, pictures, **options)]
    with torch.inference_mode():
        theirs, _ = generated(kind, ending / kind, pictures, search)
    assert ours == theirs


@pytest.mark.parametrize("kind", MODELS)
def test_the_captions_compared_end_at_different_lengths(ending, pictures, kind):
    search = {"num_beams": 4, "length_penalty": 1.0}
    with torch.inference_mode():
        _, lengths = generated(kind, ending / kind, pictures, search)
    assert len(set(lengths)) > 1
    assert min(lengths) < LENGTH - 1
