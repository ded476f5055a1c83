"""The precision that models compute in."""

import pickle

import pytest
import torch

from prompt_ensemble.models.device import Placement


@pytest.fixture
def rounded_convolutions(monkeypatch):
    """Torch as it comes: float32 convolutions on a GPU rounded to TF32."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)


def test_float32_on_a_gpu_is_not_rounded_in_worker_processes_either(rounded_convolutions):
    placement = Placement(torch.device("cuda"), torch.float32)
    sent_to_a_worker = pickle.loads(pickle.dumps(placement))
    with sent_to_a_worker.autocast():
        assert not torch.backends.cudnn.allow_tf32


def test_float32_on_a_processor_leaves_the_gpu_settings_alone(rounded_convolutions):
    with Placement(torch.device("cpu"), torch.float32).autocast():
        assert torch.backends.cudnn.allow_tf32
