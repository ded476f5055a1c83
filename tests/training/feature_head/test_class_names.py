"""Class names and the columns they pull on."""

from __future__ import annotations

import numpy as np
import torch
from training_samples import encode

from prompt_ensemble.models.image_towers.lite_features import LiteFeatures
from prompt_ensemble.training.feature_head.class_names import class_rows, class_slope, class_texts


def test_every_class_has_three_texts_in_the_order_of_the_outputs() -> None:
    names, photos, meanings = class_texts()
    assert len(names) == len(photos) == len(meanings) == 1000
    assert names[437].startswith("beacon, lighthouse")
    assert photos[437] == "a photo of a beacon"
    assert "tower" in meanings[437]


def test_class_rows_have_no_mean() -> None:
    rows = class_rows(encode)
    assert rows.shape == (1000, 384)
    assert np.abs(rows.mean(axis=0)).max() < 1e-6


def test_only_columns_of_classes_are_pulled_and_nets_share_the_strength() -> None:
    tower = LiteFeatures("0+0").eval()
    with torch.inference_mode():
        features = tower(torch.rand(1, 3, 32, 32)).shape[1]
    rows = np.random.default_rng(0).normal(size=(1000, 3))
    slope = class_slope(tower, features, rows, 0.5)
    half = features // 2
    assert np.array_equal(slope[half - 1000 : half], rows * 0.25)
    assert np.array_equal(slope[-1000:], rows * 0.25)
    assert np.count_nonzero(slope.any(axis=1)) == 2000


def test_a_tower_without_classes_is_not_pulled() -> None:
    assert not class_slope(torch.nn.Identity(), 7, np.ones((1000, 3)), 0.5).any()
