"""One folder of each kind of captioner, written once for all tests that only read it."""

import pytest
import torch

from prompt_ensemble.members.contract import Batch
from prompt_ensemble.members.registry import predictor_class
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.weights import WeightRoots

torch.set_num_threads(1)
CPU = Placement(torch.device("cpu"), torch.float32)


@pytest.fixture(scope="session")
def captioners(tmp_path_factory):
    """A weights root with a folder named after each kind."""
    from tiny_captioners import SAVE

    root = tmp_path_factory.mktemp("captioners")
    for kind, save in SAVE.items():
        save(root / kind)
    return root


@pytest.fixture
def cpu():
    return CPU


@pytest.fixture
def make():
    """A predictor from the registry for a folder or file."""

    def make_predictor(kind, path, **options):
        found = predictor_class(kind)
        return found(str(path), found.Options(**options), WeightRoots.usual())

    return make_predictor


@pytest.fixture
def caption(make, cpu):
    """Captions of a uint8 batch, from loading to text, as the inference loop asks for them."""

    def caption_batch(kind, path, pixels, **options):
        opened = make(kind, path, **options).open(cpu)
        with torch.inference_mode():
            outputs = opened.run(Batch(tuple(map(str, range(len(pixels)))), (pixels,)))
        return outputs.lines

    return caption_batch


@pytest.fixture
def pixels():
    generator = torch.Generator().manual_seed(7)
    return torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8, generator=generator)
