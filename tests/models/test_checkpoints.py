"""Reading model files without running any of them."""

import pickle

import pytest
import torch
from safetensors.torch import save_file

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.models.checkpoints import load_state, load_strictly


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_both_formats_load(tmp_path, suffix):
    state = {"weight": torch.arange(4.0)}
    path = tmp_path / f"m{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(state, path)
    assert torch.equal(load_state(path)["weight"], state["weight"])


class Mischief:
    def __reduce__(self):
        return (print, ("this ran",))


def test_a_pickle_that_wants_to_run_code_is_refused(tmp_path, capsys):
    path = tmp_path / "m.pth"
    torch.save({"weight": torch.zeros(1), "rest": Mischief()}, path)
    with pytest.raises(BadWeights, match="refused"):
        load_state(path)
    assert "this ran" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", pickle.dumps([1, 2])])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_damaged_checkpoint_is_one_clear_error(tmp_path, suffix, content):
    path = tmp_path / f"m{suffix}"
    path.write_bytes(content)
    with pytest.raises(BadWeights, match="m"):
        load_state(path)


def test_keys_that_do_not_fit_are_named(tmp_path):
    module = torch.nn.Linear(2, 3)
    state = {"weight": torch.zeros(5, 2), "extra": torch.zeros(1)}
    with pytest.raises(BadWeights) as caught:
        load_strictly(module, state, tmp_path / "m.pth")
    message = str(caught.value)
    assert "1 missing (bias)" in message
    assert "1 unexpected (extra)" in message
    assert "1 reshaped (weight (5, 2) instead of (3, 2))" in message
