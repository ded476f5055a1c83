"""Buckets and slots: which learnt number belongs to which pair of positions."""

import math

import torch

from prompt_ensemble.models.ofa.positions import (
    code_slots,
    image_buckets,
    image_slots,
    token_buckets,
)


def test_near_words_have_a_row_of_the_table_each():
    buckets = token_buckets(20, 256)
    assert buckets[5, 3] == 255 + 2
    assert buckets[3, 5] == 255 - 2


def test_far_words_share_rows_logarithmically_and_stay_inside_the_table():
    size, middle = 16, 8
    buckets = token_buckets(1024, size)
    distance = 300
    stretched = math.ceil((middle - 1) * math.log(distance / middle) / math.log(1023 / middle))
    assert buckets[distance, 0] == size - 1 + middle + stretched
    assert buckets[0, distance] == size - 1 - middle - stretched
    assert (buckets.min(), buckets.max()) == (0, 2 * size - 2)


def test_rows_of_a_picture_are_as_far_apart_as_the_table_is_wide():
    assert image_slots(2, 3, 10).tolist() == [1, 2, 3, 11, 12, 13]


def test_cells_with_the_same_offset_share_a_row_of_the_table():
    buckets = image_buckets(image_slots(3, 3, 5), 5)
    assert buckets[4, 0] == buckets[8, 4]
    assert buckets[4, 0] != buckets[0, 4]
    assert len(buckets.unique()) == 5 * 5


def test_the_start_of_an_image_code_has_rows_of_its_own():
    buckets = image_buckets(torch.tensor([0, 1, 2]), 5)
    last = 9 * 9 + 2
    assert buckets[0].tolist() == [last, last - 2, last - 2]
    assert buckets[:, 0].tolist() == [last, last - 1, last - 1]


def test_image_codes_go_through_the_grid_and_end_in_one_slot():
    slots = code_slots(7, 2, 10)
    assert slots.tolist() == [0, 1, 2, 11, 12, 1024, 1024]
