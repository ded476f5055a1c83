"""Captions are those of today's ``generate``, text for text, whatever the settings.

The networks are random, but end their captions: the end token is made likelier until captions of
many lengths come out. ``generate`` captions one image at a time, we a batch.
"""

import itertools
import json
import shutil
import sys
from collections import Counter
from functools import cache

import pytest
import torch
import transformers
from models.text_generation.test_against_generate import ENDS, MODELS, STARTS, asked
from tiny_captioners import SAVE, widen

import prompt_ensemble  # noqa: F401  (before transformers: it makes torchvision importable)
from prompt_ensemble.models import transformers_folders as hugging_face
from prompt_ensemble.models.transformers_folders import load_preprocessing, reader

LENGTH = 14
IMAGES = 4
MORE_IMAGES = 8
PRODUCTS = {"blip": 5.0, "git": 5.0, "blip2": 2.0, "florence2": 4.0, "encoder-decoder": 1.5}
"""How much more the end token's logit varies, so that it is the likeliest word now and then."""
SEEDS = {"blip": 0, "git": 1, "blip2": 6, "florence2": 8, "encoder-decoder": 37}
"""Weights whose captions are not all alike."""
PENALTIES, STOPPING, BEAMS = (-1.0, 0.0, 0.6, 1.0, 2.0), (False, True, "never"), (3, 4)
DETAILS = (
    {},
    {"min_new_tokens": 5},
    {"repetition_penalty": 1.2},
    {"repetition_penalty": 1.5},
    {"no_repeat_ngram_size": 2},
    {"no_repeat_ngram_size": 3},
    {"min_new_tokens": 3, "repetition_penalty": 1.2, "no_repeat_ngram_size": 2},
)


def search(beams, penalty, stopping, details):
    return {"num_beams": beams, "length_penalty": penalty, "early_stopping": stopping} | details


GREEDY = [{"num_beams": 1} | details for details in DETAILS]
GRID = [search(*values) for values in itertools.product(BEAMS, PENALTIES, STOPPING, DETAILS)]
# Lengths without a common divisor: every penalty meets every rule for stopping.
ROUNDS = zip(
    *(itertools.cycle(values) for values in (BEAMS, PENALTIES, STOPPING, DETAILS)), strict=False
)
SEARCHES = [search(*values) for values in itertools.islice(ROUNDS, 15)] + GREEDY[1::2]


def named(settings):
    return ", ".join(f"{name}={value}" for name, value in settings.items())


@pytest.fixture(scope="module", autouse=True)
def read_once():
    """A folder's network and words are read once, for ``generate`` and for us."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("load_model", "load_tokenizer"):
            patch.setattr(hugging_face, name, cache(getattr(hugging_face, name)))
        yield


def the_model(kind, folder):
    name, model_type = MODELS[kind]
    return hugging_face.load_model(getattr(transformers, name), folder, model_type)


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
        torch.manual_seed(0)  # a few layers stay as torch draws them
        SAVE[kind](root / "plain" / kind)
        model = the_model(kind, root / "plain" / kind)
        widen(model, SEEDS[kind])
        with torch.no_grad():
            word_scores(model).weight[ENDS[kind]] *= PRODUCTS[kind]
        model.save_pretrained(root / "plain" / kind)
        shutil.copytree(root / "plain" / kind, root / kind)
    return root


def pictures(count):
    generator = torch.Generator().manual_seed(11)
    return torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8, generator=generator)


@torch.inference_mode()
def generated(kind, folder, images, settings, ends=None):
    """What ``generate`` says of each image alone: tokens, and what the beams are worth."""
    model, tokenizer = the_model(kind, folder), hugging_face.load_tokenizer(folder)
    options = {"do_sample": False, "return_dict_in_generate": True, "output_scores": True}
    options |= settings
    if kind == "florence2":
        options |= asked(model, tokenizer)
    found = [
        model.generate(pixel_values=image[None], **options)
        for image in load_preprocessing(folder).normalise(images)
    ]
    sequences = [one.sequences[0].tolist()[STARTS.get(kind, 1) :] for one in found]
    scores = [one.sequences_scores[0].item() for one in found if "sequences_scores" in one]
    return [cut(tokens, ends or [ENDS[kind]]) for tokens in sequences], scores


def cut(tokens, ends):
    """As far as the first end."""
    return list(itertools.takewhile(lambda token: token not in ends, tokens))


def compare(kind, folder, caption, images, settings):
    """Assert that texts and scores are equal; the lengths in words."""
    plain = {"max_new_tokens": LENGTH - 1, "min_new_tokens": 0, "no_repeat_ngram_size": 0}
    ours = [row[0] for row in caption(kind, folder, images, **plain | settings)]
    theirs, scores = generated(kind, folder, images, plain | settings)
    read = reader(hugging_face.load_tokenizer(folder))
    assert [line.text for line in ours] == [read(tokens) for tokens in theirs], named(settings)
    if scores:
        assert [line.score for line in ours] == pytest.approx(scores, rel=1e-3, abs=1e-3)
    return [len(tokens) for tokens in theirs]


@pytest.mark.parametrize("settings", SEARCHES, ids=named)
@pytest.mark.parametrize("kind", MODELS)
def test_captions_are_those_of_generate(ending, caption, kind, settings):
    compare(kind, ending / kind, caption, pictures(IMAGES), settings)


@pytest.mark.slow
@pytest.mark.parametrize("kind", MODELS)
def test_captions_are_those_of_generate_at_every_point_of_the_grid(ending, caption, kind, capsys):
    images, lengths = pictures(MORE_IMAGES), Counter()
    for settings in GREEDY + GRID:
        lengths.update(compare(kind, ending / kind, caption, images, settings))
    with capsys.disabled():
        sys.stdout.write(f"\n{kind}: {lengths.total()} captions equal, {sorted(lengths.items())}\n")
    assert lengths.total() == MORE_IMAGES * len(GREEDY + GRID)
    assert len(lengths) >= 6


@pytest.mark.parametrize("kind", MODELS)
def test_the_captions_compared_differ_and_end_at_many_lengths(ending, kind):
    settings = {"num_beams": 4, "length_penalty": 1.0, "max_new_tokens": LENGTH - 1}
    captions, _ = generated(kind, ending / kind, pictures(MORE_IMAGES), settings)
    assert len({len(tokens) for tokens in captions}) >= 3
    assert len({tuple(tokens) for tokens in captions}) >= 5


@pytest.mark.parametrize("stopping", STOPPING)
@pytest.mark.parametrize("kind", MODELS)
def test_other_images_of_a_batch_change_nothing(ending, caption, kind, stopping):
    images, options = pictures(IMAGES), search(3, 1.0, stopping, {"max_length": LENGTH})
    together = caption(kind, ending / kind, images, **options)
    alone = [caption(kind, ending / kind, image[None], **options)[0] for image in images]
    assert [row[0].text for row in together] == [row[0].text for row in alone]


FIRST_WORDS = {"git": 2003, "florence2": 0, "encoder-decoder": 4}
"""What captions are made to begin with; BLIP's and BLIP-2's generate hand down no such wish."""


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize("kind", MODELS)
def test_a_folders_rules_for_single_tokens_are_followed(ending, caption, tmp_path, kind, beams):
    images, end, lengths = pictures(IMAGES), ENDS[kind], {"max_new_tokens": 9, "num_beams": 3}
    free, _ = generated(kind, ending / kind, images, lengths)
    long, _ = generated(kind, ending / kind, images, lengths | {"no_repeat_ngram_size": 2})
    often = [word for word, _ in Counter(word for words in long for word in words).most_common(3)]
    usual = [word for word, _ in Counter(words[0] for words in long if words).most_common(1)]
    ends = [end] if kind in ("blip", "blip2") else [end, often[1]]
    saved = {"length_penalty": 0.6, "early_stopping": True, "min_new_tokens": 2} | lengths
    saved |= {"no_repeat_ngram_size": 3, "repetition_penalty": 1.2}
    tokens = {
        "suppress_tokens": [often[2]],
        "begin_suppress_tokens": usual,
        "forced_eos_token_id": end,
    }
    if kind in FIRST_WORDS:
        tokens["forced_bos_token_id"] = FIRST_WORDS[kind]
    folder = shutil.copytree(ending / kind, tmp_path / kind)
    file = folder / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | saved | tokens | ends_of(kind, ends)))
    # BLIP and BLIP-2 look for settings beside their language model, where no file can be.
    handed = saved | tokens if kind in ("blip", "blip2") else {}
    theirs, _ = generated(kind, folder, images, handed | {"num_beams": beams}, ends)
    read = reader(hugging_face.load_tokenizer(folder))
    ours = [row[0].text for row in caption(kind, folder, images, num_beams=beams)]
    assert ours == [read(caption) for caption in theirs]
    assert ours != [read(caption) for caption in free]


def ends_of(kind, ends):
    """What the file says; BLIP's own generate never asks it."""
    return {"eos_token_id": 5 if kind == "blip" else ends}
