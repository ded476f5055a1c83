"""What ImageNet's class names tell about prompts before any pair is seen.

A picture of a lighthouse was probably asked for with words near "lighthouse". So the slope of a
head at a class probability is drawn to the embedding of that class's name: the only knowledge of
things that no training prompt mentions.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from torch import nn

from prompt_ensemble.core.embeddings import Encode
from prompt_ensemble.models.image_towers.lite_features import LiteFeatures, class_columns


@cache
def class_texts() -> tuple[tuple[str, ...], ...]:
    """Name, photo caption and definition of each of 1,000 classes, in the order of the outputs."""
    from timm.data.imagenet_info import ImageNetInfo

    classes = ImageNetInfo()
    names = [classes.label_name_to_description(label) for label in classes.label_names()]
    photos = [f"a photo of a {name.split(',')[0]}" for name in names]
    meanings = [
        classes.label_name_to_description(label, detailed=True) for label in classes.label_names()
    ]
    return tuple(names), tuple(photos), tuple(meanings)


def class_rows(encode: Encode) -> np.ndarray:
    """``(1000, 384)``: how each class differs from the average class."""
    embedded = [encode(list(texts)) for texts in class_texts()]
    rows: np.ndarray = sum(rows - rows.mean(axis=0) for rows in embedded) / len(embedded)
    return rows


def class_slope(tower: nn.Module, features: int, rows: np.ndarray, strength: float) -> np.ndarray:
    """``(features, 384)``: class rows where the tower gives class probabilities, else zero."""
    slope = np.zeros((features, rows.shape[1]))
    columns = class_columns(tower.eval()) if isinstance(tower, LiteFeatures) else []
    for place in columns:
        slope[place] = rows * strength / len(columns)
    return slope
