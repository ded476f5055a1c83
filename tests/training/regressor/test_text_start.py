"""Heads that begin with what a tower's text side knows."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_clip import save_tiny
from training_samples import TINY, encode, write_pairs

from prompt_ensemble.core.embeddings import unit_rows
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.training.held_out import HeldOut
from prompt_ensemble.training.regressor.regressor_training import train_regressor
from prompt_ensemble.training.regressor.text_start import start_from_text, text_rows


def test_pictures_near_their_texts_are_understood_at_once():
    """Rows of pictures are those of texts, longer, turned a little and all moved by the same."""
    random = np.random.default_rng(0)
    texts = unit_rows(random.normal(size=(400, 24)))
    mapped = texts @ random.normal(size=(24, 384)) + 0.5 * random.normal(size=384)
    targets = unit_rows(mapped)
    pictures = 9 * (texts + 0.3 * unit_rows(random.normal(size=24)[None]))
    head = torch.nn.Linear(24, 384)
    start_from_text(head, texts[:300], targets[:300], pictures[:300], targets[:300].mean(axis=0))
    with torch.inference_mode():
        predicted = unit_rows(head(torch.from_numpy(pictures[300:]).float()).numpy())
    cosines = (predicted * targets[300:]).sum(axis=1)
    constant = targets[300:] @ unit_rows(targets[:300].mean(axis=0)[None])[0]
    assert cosines.mean() > 0.98 > constant.mean() + 0.1


def test_only_a_matrix_can_be_set():
    rows = np.ones((2, 3))
    with pytest.raises(BadConfig, match="head = 'linear'"):
        start_from_text(torch.nn.Sequential(), rows, rows, rows, rows[0])


def test_a_tower_without_texts_is_refused():
    with pytest.raises(BadConfig, match="'timm' has not"):
        text_rows(TINY, ["a"], WeightRoots(()))


def test_a_clip_is_trained_from_its_text_side(tmp_path):
    save_tiny(tmp_path / "clip")
    recipe = replace(
        TINY, library="open_clip", tower="", backbone="clip", size=0, mean=(), std=(),
        frozen_stages=0, head="linear", head_from_text=True, steps=1, head_steps=1, head_rate=0.0,
    )  # fmt: skip
    train_regressor(
        write_pairs(tmp_path / "data"), recipe, tmp_path / "run", encode=encode,
        roots=WeightRoots((tmp_path,)), held_out=HeldOut(share=0), cpu=True,
    )  # fmt: skip
    record = json.loads((tmp_path / "run" / "regressor" / "regressor.json").read_text())
    config = json.loads((tmp_path / "clip" / "open_clip_config.json").read_text())
    assert record["tower"]["config"]["vision_cfg"] == config["model_cfg"]["vision_cfg"]
    assert record["tower"]["backbone"] is None
    assert record["preprocessing"]["height"] == config["model_cfg"]["vision_cfg"]["image_size"]
