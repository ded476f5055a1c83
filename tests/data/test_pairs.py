"""Listings of pairs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from training_samples import write_pairs

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.data.pairs import read_pairs


def test_pairs_name_the_line_that_is_wrong(tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path)
    assert pairs.sources[0] == "left"
    listing = tmp_path / "bad.jsonl"
    listing.write_text(json.dumps({"image": "red0.png", "prompt": "x"}) + '\n{"prompt": "y"}\n')
    with pytest.raises(BadConfig, match="line 2 is no pair"):
        read_pairs(listing, ())
    listing.write_text(json.dumps({"image": "absent.png", "prompt": "x"}))
    with pytest.raises(BadConfig, match=r"absent\.png is not in"):
        read_pairs(listing, (tmp_path,))
