"""Losses of a batch."""

from __future__ import annotations

import math

import pytest
import torch

from prompt_ensemble.training.regressor.losses import contrastive_loss, cosine_loss


def test_losses_of_right_answers_are_lower() -> None:
    targets = torch.eye(4, 384)
    assert cosine_loss(targets * 3, targets) == pytest.approx(0, abs=1e-6)
    right = contrastive_loss(targets, targets, 0.07)
    assert right < 0.01 < contrastive_loss(targets.roll(1, 0), targets, 0.07)
    assert contrastive_loss(torch.ones(4, 384), targets, 0.07) == pytest.approx(math.log(4))
