"""Which images a list of prompts asks for, and who makes which."""

import pytest

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.generating.drawings import Part, batches_of, drawings_of, parse_part

PROMPTS = [f"prompt {number}" for number in range(11)]


def test_a_longer_list_begins_as_a_shorter_one():
    assert list(drawings_of(PROMPTS, 7, 2))[:8] == list(drawings_of(PROMPTS[:4], 7, 2))


def test_copies_of_a_prompt_have_seeds_and_names_of_their_own():
    drawings = list(drawings_of(["a cat", "a cat"], 0, 2))
    assert len({drawing.seed for drawing in drawings}) == 4
    assert len({drawing.name for drawing in drawings}) == 4


def test_another_seed_or_another_prompt_is_another_image():
    (one,), (other,) = drawings_of(["a cat"], 0, 1), drawings_of(["a cat"], 1, 1)
    (dog,) = drawings_of(["a dog"], 0, 1)
    assert one.seed != other.seed
    assert one.seed == dog.seed
    assert one.name != dog.name


def test_parts_and_workers_share_everything_once():
    def numbers(part):
        drawings = drawings_of(PROMPTS, 0, 1)
        return [one.number for batch in batches_of(drawings, 2, part) for one in batch]

    parts = [Part(worker, 2).within(Part(part, 3)) for part in range(3) for worker in range(2)]
    assert sorted(number for part in parts for number in numbers(part)) == list(range(11))


@pytest.mark.parametrize("text", ["0/4", "5/4", "2", "a/b", "1/0", "-1/2"])
def test_a_part_that_is_none(text):
    with pytest.raises(BadConfig, match="expected one such as 2/4"):
        parse_part(text)


def test_parts_are_counted_from_one():
    assert parse_part("2/4") == Part(1, 4)
