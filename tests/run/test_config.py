"""Presets and the errors that slips of the pen become."""

import pytest

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.typed_tables import from_table
from prompt_ensemble.members.registry import predictor_class
from prompt_ensemble.run.config import load_config, load_preset, parse_config, preset_names

GOOD = """
description = "two members"
[[members]]
name = "one"
model = "regressor"
weight = 1
[[members]]
name = "two"
model = "regressor"
weight = 0
[members.options]
views = 2
"""


def parse(text):
    return parse_config(text, "test", "test.toml")


def test_members_come_in_order_with_their_options():
    config = parse(GOOD)
    assert [member.name for member in config.members] == ["one", "two"]
    assert config.members[1].options == {"views": 2}


def test_members_of_weight_zero_are_not_blended():
    assert parse(GOOD).blend_weights == {"one": 1.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            GOOD.replace("weight = 1", "wieght = 1"),
            r"member 1: unknown key 'wieght'; did",
        ),
        (GOOD.replace("description", "descripton"), "unknown key 'descripton'; did you mean"),
        (GOOD.replace('model = "regressor"', "", 1), "member 1: 'model' is missing"),
        (GOOD.replace("weight = 1", 'weight = "1"'), "'weight' is '1', a str; expected float"),
        (GOOD.replace("weight = 1", "weight = true"), "expected float"),
        (GOOD.replace("weight = 1", "weight = -1"), "weight of 'one'"),
        (GOOD.replace("weight = 1", "weight = 0"), "every member has weight 0"),
        (GOOD.replace('"two"\n', '"one"\n'), "two members are named 'one'"),
        (GOOD.replace('"one"', '"../one"'), "a folder is named after it"),
        (GOOD + "batch_size = [", "not valid TOML"),
        ("name = 'x'", r"no \[\[members\]\]"),
    ],
)
def test_each_slip_is_one_clear_error(text, message):
    with pytest.raises(BadConfig, match=message) as caught:
        parse(text)
    assert "\n" not in str(caught.value)


def test_an_unknown_preset_names_the_near_one():
    with pytest.raises(BadConfig, match="did you mean 'embedded'"):
        load_preset("embeded")


def test_a_configuration_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(BadConfig, match="cannot be read"):
        load_config(tmp_path / "x.toml")


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_of_the_package_fits_the_registry(preset):
    for member in load_preset(preset).members:
        options = predictor_class(member.model).Options
        from_table(options, member.options, member.name)


def test_an_unknown_model_kind_names_the_near_one():
    with pytest.raises(BadConfig, match="did you mean 'regressor'"):
        predictor_class("regresor")
