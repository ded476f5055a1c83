"""What the recipe of the study trains: designs of one size, and a split that nothing crosses."""

import numpy as np
import pytest

from prompt_ensemble.models.device import choose_placement
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.training.captioner.recipe import CaptionerRecipe
from prompt_ensemble.training.captioner.start import check_start
from scripts.captioner_study.__main__ import some_of_each
from scripts.captioner_study.designs import save_untrained, save_untrained_writer, vocabulary

PROMPTS = ["a red wall", "a green wall", "two dogs, oil on canvas"]


@pytest.mark.parametrize("design", ["blip", "git"])
def test_an_untrained_captioner_is_one_that_can_speak_and_learn(design, tmp_path, make):
    words = vocabulary(PROMPTS)
    predictor = make(design, save_untrained(design, words, 0, tmp_path / design))
    predictor.check()
    published = predictor.read(choose_placement("cpu"))
    pieces = predictor.pieces(published, "two dogs")
    assert [words[piece] for piece in pieces] == ["two", "dogs"]
    assert predictor.searching(published).end == words.index("[SEP]")


def test_seeds_are_other_weights_and_the_same_seed_is_not(tmp_path):
    words = vocabulary(PROMPTS)
    first, again, other = (
        (save_untrained("git", words, seed, tmp_path / name) / "model.safetensors").read_bytes()
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert first == again
    assert first != other


def test_the_writer_that_reads_images_as_words_is_a_language_model(tmp_path):
    folder = save_untrained_writer(PROMPTS, 300, 0, tmp_path / "writer")
    recipe = CaptionerRecipe(decoder="language-model", language_model=str(folder), tuned="whole")
    check_start(recipe, WeightRoots.usual())


def test_large_groups_are_thinned_and_small_ones_stay_whole():
    groups = np.array([0] * 200 + [1] * 3 + [2])
    kept = some_of_each(groups)
    assert np.bincount(groups[kept]).tolist() == [60, 3, 1]
    assert len(set(kept.tolist())) == len(kept)
