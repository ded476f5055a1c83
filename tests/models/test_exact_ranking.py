"""Ranking against the plain way: sort everything."""

import pytest
import torch

from prompt_ensemble.models import exact_ranking as rank
from prompt_ensemble.models.exact_ranking import candidates, exact_products, top_phrases


def rows(count: int, levels: int = 1000) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.randint(-levels, levels, (count, 8), generator=generator).float() / levels


@pytest.mark.parametrize("count", [1, 3, 50])
def test_it_equals_a_stable_sort_of_everything(count):
    images, phrases = rows(7), rows(200)
    similarities = images.double() @ phrases.double().T
    expected = similarities.sort(dim=1, descending=True, stable=True)
    cosines, numbers = top_phrases(images, phrases, count)
    assert torch.equal(numbers, expected.indices[:, :count])
    assert torch.allclose(cosines, expected.values[:, :count])


@pytest.mark.parametrize("count", [1, 2, 5])
def test_equal_phrases_come_in_list_order(count):
    phrases = torch.ones(6, 8)
    _, numbers = top_phrases(rows(3).abs(), phrases, count)
    assert numbers.tolist() == [list(range(count))] * 3


def test_parts_within_the_memory_budget_change_nothing(monkeypatch):
    images, phrases = rows(9), rows(30)
    whole = top_phrases(images, phrases, 4)
    monkeypatch.setattr(rank, "MEMORY_BUDGET", 4 * 30 * 2)
    parts = top_phrases(images, phrases, 4)
    assert torch.equal(whole[1], parts[1])


def test_a_bank_smaller_than_k_gives_all_it_has():
    cosines, _ = top_phrases(rows(2), rows(3), 10)
    assert cosines.shape == (2, 3)


def test_equal_rows_have_equal_cosines_wherever_they_are():
    image, row = rows(2)
    crowd = torch.cat([rows(31), row.expand(7, -1)])
    cosines, _ = top_phrases(image[None], crowd, len(crowd))
    alone = exact_products(image, row)
    assert (cosines == alone).sum() == 7


def test_a_fast_product_that_errs_in_its_last_bits_changes_no_order():
    images, phrases = rows(5), torch.ones(40, 8) / 8**0.5
    noise = torch.linspace(-1e-6, 1e-6, 40).expand(5, -1)
    assert candidates(images @ phrases.T + noise, 3).shape == (5, 40)


def test_products_that_half_precision_rounds_alike_are_distinguished():
    phrases = torch.tensor([[1.0, 0.0], [1.0, 2**-7]]).bfloat16()
    _, numbers = top_phrases(torch.tensor([[1.0, 2**-8]]), phrases, 1)
    assert numbers.item() == 1
