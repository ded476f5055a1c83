"""Images and their prompts, and what of captions they measure; against plain Python."""

from pathlib import Path

import numpy as np
import pytest
from corner_captioner import encode

from prompt_ensemble.data.pairs import Pair, Pairs
from prompt_ensemble.study.material import gather, images_of


def pairs(*rows):
    return Pairs(tuple(Pair(Path(image), prompt, "", "A") for image, prompt in rows), "")


SOME = pairs(
    ("a/1.png", "red wall"), ("a/1.png", "old red wall here"), ("a/2.png", "green car"),
    ("a/3.png", "blue cat"), ("a/4.png", "red wall"),
)  # fmt: skip
SAID = ["red wall now", "green tree", "red wall", "blue cat"]


def test_an_image_has_all_its_prompts():
    first, *_ = images_of(SOME)
    assert first.prompts == ("red wall", "old red wall here")


def test_files_of_one_name_are_told_apart_by_their_folders():
    two = pairs(("x/a/1.png", "red"), ("x/b/1.png", "blue"))
    assert [image.image_id for image in images_of(two)] == ["a/1", "b/1"]
    assert [image.image_id for image in images_of(SOME)] == ["1", "2", "3", "4"]


def test_images_that_share_a_prompt_are_of_one_group():
    groups = gather(images_of(SOME), encode).groups
    assert groups[0] == groups[3]
    assert len(set(groups.tolist())) == 3


def test_measures_are_those_of_plain_python():
    images = images_of(SOME)
    material, said = gather(images, encode), encode(SAID)
    prompts = sorted({prompt for image in images for prompt in image.prompts})
    near = {p: said @ encode([p])[0] for p in prompts}
    for row, image in enumerate(images):
        nearest = max(near[p][row] for p in image.prompts)
        assert material.cosines(said)[row] == pytest.approx(nearest, abs=1e-5)
        rank = 1 + sum(near[p][row] > nearest + 1e-6 for p in prompts)
        assert material.ranks(said)[row] == rank
        own = np.mean([near[p][row] for p in image.prompts])
        others = [
            np.mean([near[p][row] for p in other.prompts])
            for place, other in enumerate(images)
            if material.groups[place] != material.groups[row]
        ]
        assert material.image_gain(said)[row] == pytest.approx(own - np.mean(others), abs=1e-5)
