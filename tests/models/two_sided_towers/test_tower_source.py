"""Which tower a name stands for, and the digests that tell banks of it apart."""

import json

import pytest

from prompt_ensemble.models.two_sided_towers.tower_source import find_tower
from prompt_ensemble.models.weights import WeightRoots


@pytest.mark.parametrize(
    ("config", "architecture", "kind"),
    [
        ({"model_type": "clip"}, "", "transformers"),
        ({"model_type": "siglip"}, "", "transformers"),
        ({"model_type": "clip"}, "ViT-B-32", "open_clip"),
        ({"model_type": "bert"}, "", "open_clip"),
        (None, "", "open_clip"),
    ],
)
def test_the_kind_follows_from_the_folder(tmp_path, config, architecture, kind):
    if config:
        (tmp_path / "config.json").write_text(json.dumps(config))
    assert find_tower(str(tmp_path), architecture, WeightRoots(())).kind == kind


def test_embedded_towers_share_their_text_digest_and_nothing_else():
    lite0, lites = (
        find_tower(name, "", WeightRoots.usual()) for name in ("embedded-lite0", "embedded-lites")
    )
    assert lite0.kind == lites.kind == "embedded"
    assert lite0.text_digest() == lites.text_digest()
    assert lite0.digest() != lites.digest()


def test_a_tower_of_another_architecture_has_another_digest(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"x")
    named, unnamed = (find_tower(str(tmp_path), name, WeightRoots(())) for name in ("ViT-B-32", ""))
    assert named.digest() != unnamed.digest()
    assert named.text_digest() == named.digest()
