"""Near-duplicates by bands equal those by brute force."""

import numpy as np
import pytest

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.data.gathering.near_images import first_near_images


def by_brute_force(hashes: np.ndarray, bits: int) -> list[int]:
    kept: list[int] = []
    places = []
    for place, value in enumerate(hashes):
        near = [one for one in kept if np.bitwise_count(hashes[one] ^ value) <= bits]
        places.append(near[0] if near else place)
        if not near:
            kept.append(place)
    return places


@pytest.mark.parametrize("bits", [0, 1, 4, 7])
def test_bands_find_what_comparing_all_finds(bits):
    random = np.random.default_rng(bits)
    centres = random.integers(0, 2**63, 60, dtype=np.uint64)
    flips = np.uint64(1) << random.integers(0, 64, (400, 5), dtype=np.uint64)
    hashes = centres[random.integers(0, 60, 400)]
    for column in range(5):
        flipped = random.random(400) < 0.5
        hashes[flipped] ^= flips[flipped, column]
    assert first_near_images(hashes, bits).tolist() == by_brute_force(hashes, bits)


def test_many_of_one_kind_take_no_time():
    hashes = np.repeat(np.array([5, 9], np.uint64), 200_000)
    places = first_near_images(hashes, 0)
    assert places.tolist() == [0] * 200_000 + [200_000] * 200_000


def test_none_are_none():
    assert first_near_images(np.empty(0, np.uint64), 4).tolist() == []


def test_a_distance_that_cannot_be_searched_for_is_refused():
    with pytest.raises(BadConfig, match="expected 0 to 12"):
        first_near_images(np.zeros(2, np.uint64), 13)
