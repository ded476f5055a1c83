"""A captioner as a member: what its identity covers, and how its words become vectors."""

import json
import shutil

import numpy as np
import pytest

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.core.outputs import Line, Outputs

NEVER_SAID = Outputs.of_lines((), ())


@pytest.fixture
def captions():
    two = [Line("caption", "a cat", -0.1), Line("caption", "a picture of a dog", -0.4)]
    return Outputs.of_lines(["x", "y"], [two, two[::-1]])


class Encoder:
    """A vector per text that only equal texts share; remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, texts):
        self.asked += texts
        rows = [np.random.default_rng(sum(text.encode())).normal(size=384) for text in texts]
        vectors = np.array(rows, np.float32).reshape(-1, 384)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize(
    "wording",
    [{"suffix": ", art"}, {"strip_openings": True}, {"drop_repeats": True}, {"embedded": "best"}],
    ids=lambda wording: next(iter(wording)),
)
def test_another_wording_needs_no_new_captions(captioners, make, wording):
    folder = captioners / "blip"
    assert make("blip", folder, **wording).identity() == make("blip", folder).identity()


@pytest.mark.parametrize("change", [{"num_beams": 7}, {"seed": 1}, {"prompt": "art of "}])
def test_another_generation_needs_new_captions(captioners, make, change):
    folder = captioners / "blip"
    assert make("blip", folder, **change).identity() != make("blip", folder).identity()


def test_setting_a_published_value_changes_nothing(captioners, make):
    folder = captioners / "git"
    assert make("git", folder, num_beams=4).identity() == make("git", folder).identity()


def test_one_vector_per_image_is_the_mean_of_its_captions(captioners, make, captions):
    embeddings = make("blip", captioners / "blip").embed(captions, Encoder())
    cat, dog = Encoder()(["a cat", "a picture of a dog"])
    mean = (cat + dog) / np.linalg.norm(cat + dog)
    np.testing.assert_allclose(embeddings.vectors, [mean, mean], atol=1e-6)
    assert embeddings.image_ids == ("x", "y")


def test_only_the_best_caption_if_asked(captioners, make, captions):
    encoder = Encoder()
    make("blip", captioners / "blip", embedded="best").embed(captions, encoder)
    assert encoder.asked == ["a cat", "a picture of a dog"]


def test_captions_are_worded_before_they_are_embedded(captioners, make, captions):
    encoder = Encoder()
    options = {"strip_openings": True, "suffix": ", art", "embedded": "joined"}
    make("blip", captioners / "blip", **options).embed(captions, encoder)
    assert encoder.asked == ["a cat, a dog, art", "a dog, a cat, art"]


def test_captions_can_be_embedded_each_for_itself(captioners, make, captions):
    best, second = make("blip", captioners / "blip").embed_each(captions, Encoder())
    cat, dog = Encoder()(["a cat", "a picture of a dog"])
    np.testing.assert_allclose(best.vectors, [cat, dog], atol=1e-6)
    np.testing.assert_allclose(second.vectors, [dog, cat], atol=1e-6)


def test_no_images_make_no_embeddings(captioners, make):
    assert len(make("blip", captioners / "blip").embed(NEVER_SAID, Encoder())) == 0


@pytest.mark.parametrize("kind", ["blip", "git", "blip2", "florence2", "encoder-decoder"])
def test_a_folders_generation_config_goes_above_what_is_published(captioners, tmp_path, make, kind):
    folder = shutil.copytree(captioners / kind, tmp_path / kind)
    file = folder / "generation_config.json"
    saved = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(saved | {"num_beams": 2, "max_length": 11, "length_penalty": 1.7}))
    generation = make(kind, folder, num_beams=6).generation
    assert (generation.num_beams, generation.max_length) == (6, 11)
    assert generation.length_penalty == 1.7


def test_a_generation_config_that_makes_no_sense_is_one_line(captioners, tmp_path, make):
    folder = shutil.copytree(captioners / "git", tmp_path / "git")
    (folder / "generation_config.json").write_text(json.dumps({"num_beams": "x"}))
    with pytest.raises(BadWeights, match=r"generation_config\.json"):
        make("git", folder)


def test_keys_of_stored_captions_name_the_class_as_ever(make, captioners):
    """Stores that exist are found by keys that hold these names, wherever the classes are now."""
    names = {
        kind: make(kind, captioners / kind).identity()["model"] for kind in ("blip", "git", "ofa")
    }
    assert names == {
        "blip": "prompt_ensemble.captioners.blip:BlipPredictor",
        "git": "prompt_ensemble.captioners.git:GitPredictor",
        "ofa": "prompt_ensemble.captioners.ofa.captioner:OfaPredictor",
    }
