"""The picture's network."""

import pytest
import torch

from prompt_ensemble.models.ofa.trunk import Trunk


@pytest.fixture
def trunk():
    torch.manual_seed(0)
    made = Trunk("resnet18").eval()
    for name, buffer in made.named_buffers():
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 1.5)
        elif name.endswith("running_mean"):
            buffer.normal_()
    return made


def test_folding_the_norms_changes_nothing_but_rounding(trunk):
    images = torch.randn(2, 3, 48, 64)
    with torch.inference_mode():
        before = trunk(images)
        trunk.fold()
        after = trunk(images)
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-4)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in trunk.modules())


@pytest.mark.parametrize(("height", "width", "grid"), [(48, 64, (3, 4)), (50, 70, (4, 5))])
def test_each_halving_rounds_up(trunk, height, width, grid):
    with torch.inference_mode():
        assert trunk(torch.zeros(1, 3, height, width)).shape == (1, 1024, *grid)
