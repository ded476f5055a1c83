"""Members of an ensemble are found before anything runs, or another ensemble takes its place."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from prompt_ensemble.core.errors import MissingWeights
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run.config import MemberConfig, RunConfig, load_preset, preset_names
from prompt_ensemble.run.members import open_ensemble

ROOTS = WeightRoots.usual()
ABSENT = RunConfig("mine", (MemberConfig("far", "regressor", "nobody-has-this"),))


def test_an_ensemble_whose_weights_are_here_is_taken_as_it_is() -> None:
    config = load_preset("embedded-lites")
    taken, members = open_ensemble(replace(config, otherwise="embedded"), ROOTS)
    assert taken.name == "embedded-lites"
    assert [member.name for member in members] == ["lites", "phrases"]


def test_for_want_of_weights_the_named_one_takes_its_place_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        taken, members = open_ensemble(replace(ABSENT, otherwise="embedded-lites"), ROOTS)
    assert taken.name == "embedded-lites" and members[0].name == "lites"
    assert "preset 'mine' cannot run, 'embedded-lites' takes its place" in caplog.text
    assert "nobody-has-this" in caplog.text


def test_without_such_a_name_missing_weights_are_an_error() -> None:
    with pytest.raises(MissingWeights, match="nobody-has-this"):
        open_ensemble(ABSENT, ROOTS)


def test_what_takes_a_presets_place_is_a_preset_that_needs_no_more() -> None:
    """The chain ends in members that pip installs with the package."""
    stands_in = {name: load_preset(name).otherwise for name in preset_names()}
    for name in filter(None, stands_in.values()):
        assert not stands_in[name]
        assert open_ensemble(load_preset(name), ROOTS)[0].name == name
