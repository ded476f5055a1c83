"""clip-interrogator's own cache files: used where they fit, else reported and left alone."""

import hashlib

import numpy as np
import pytest
from safetensors.numpy import save_file

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.members.interrogator.published_banks import published_path, read_published

LABELS = ("oil", "", "ink")
ROWS = np.arange(6, dtype=np.float16).reshape(3, 2)


def write(path, labels=LABELS, rows=ROWS):
    digest = hashlib.sha256(",".join(labels).encode()).hexdigest()
    save_file({"embeds": rows, "hash": np.array([ord(c) for c in digest], np.int8)}, path)


def test_the_name_is_the_towers_and_the_lists(tmp_path):
    path = published_path(tmp_path, "ViT-H-14/laion2b_s32b_b79k", "flavors")
    assert path.name == "ViT-H-14_laion2b_s32b_b79k_flavors.safetensors"


def test_a_file_of_this_list_is_read(tmp_path):
    write(tmp_path / "a.safetensors")
    assert np.array_equal(read_published(tmp_path / "a.safetensors", LABELS), ROWS)


@pytest.mark.parametrize(
    ("damage", "message"),
    [("stale", "another list"), ("rows", "3 rows"), ("cut", "damaged"), ("text", "damaged")],
)
def test_a_file_that_does_not_fit_is_reported(damage, message, tmp_path, caplog):
    path = tmp_path / "a.safetensors"
    write(path, ("oil", "ink", "chalk") if damage == "stale" else LABELS,
          ROWS[:2] if damage == "rows" else ROWS)  # fmt: skip
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-3])
    elif damage == "text":
        path.write_text("not found")
    assert read_published(path, LABELS) is None
    assert message in caplog.text


def test_a_pickle_is_refused_with_the_cure(tmp_path):
    (tmp_path / "a.pkl").write_bytes(b"cos\nsystem\n")
    with pytest.raises(BadWeights, match="remove it"):
        read_published(tmp_path / "a.safetensors", LABELS)
