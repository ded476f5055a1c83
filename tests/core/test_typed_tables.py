"""Tables as dataclasses, and the errors that slips become."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import pytest

from prompt_ensemble.core.errors import BadConfig, BadWeights
from prompt_ensemble.core.typed_tables import from_table


@dataclass(frozen=True)
class Options:
    number: int = 1
    share: float = 0.5
    names: tuple[str, ...] = ()
    limit: int | None = None
    mode: Literal["fast", "best"] = "fast"
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Nested:
    first: Options
    others: tuple[Options, ...] = ()
    named: Mapping[str, Options] = field(default_factory=dict)
    perhaps: Options | None = None


def test_values_become_what_is_annotated():
    table = {"number": 3, "share": 1, "names": ["a"], "limit": 4, "mode": "best", "more": {"x": 1}}
    assert from_table(Options, table, "here") == Options(3, 1.0, ("a",), 4, "best", {"x": 1})


def test_tables_inside_a_table_become_dataclasses_too():
    two = Options(2)
    whole = Nested(Options(), (two, two), {"a": two}, two)
    assert from_table(Nested, asdict(whole), "here") == whole
    assert from_table(Nested, {"first": two}, "here") == Nested(two)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"number": 1.5}, "here: 'number' is 1.5, a float; expected int"),
        ({"number": True}, "here: 'number' is True, a bool; expected int"),
        ({"number": "2"}, "here: 'number' is '2', a str; expected int"),
        ({"share": 10**400}, "here: 'share' is a number of 401 digits; too large"),
        ({"names": "a"}, "here: 'names' is 'a', a str; expected tuple"),
        ({"names": [1]}, "here: 'names' is 1, a int; expected str"),
        ({"limit": "x"}, "here: 'limit' is 'x', a str; expected int"),
        ({"mode": "bests"}, "here: 'mode' is 'bests'; did you mean 'best'?"),
        ({"more": 3}, "here: 'more' is 3, a int; expected Mapping"),
        ({"nuber": 1}, "here: unknown key 'nuber'; did you mean 'number'?"),
        ([], "here is []; expected a table of keys and values"),
    ],
)
def test_values_of_another_type_are_refused(table, message):
    with pytest.raises(BadConfig) as caught:
        from_table(Options, table, "here")
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "here: 'first' is missing"),
        ({"first": 3}, "here: 'first' is 3; expected a table"),
        ({"first": {"nuber": 1}}, "here: 'first': unknown key 'nuber'"),
        ({"first": {}, "named": {"a": {"number": ""}}}, "here: 'named', 'a': 'number' is ''"),
        ({"first": {}, "others": [{"number": ""}]}, "here: 'others': 'number' is ''"),
    ],
)
def test_slips_inside_a_table_are_named_with_their_place(table, message):
    with pytest.raises(BadWeights) as caught:
        from_table(Nested, table, "here", BadWeights)
    assert str(caught.value).startswith(message)
