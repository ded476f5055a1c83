"""Packages that only some need: without one, a line names the extra that installs it."""

import configparser
import re
from pathlib import Path

import pytest

from prompt_ensemble.core.errors import MissingDependency
from prompt_ensemble.core.extras import import_extra

REPOSITORY = Path(__file__).parents[2]
NOT_FOR_USERS = {"test", "check"}
"""What works on this package installs."""


def test_a_package_that_is_there_is_imported():
    assert import_extra("json", "texts", "texts need json", "write none").loads("1") == 1


def test_a_package_that_is_missing_is_one_line_with_its_extra_and_a_way_without():
    with pytest.raises(MissingDependency) as caught:
        import_extra("nowhere_to_be_found", "texts", "texts need it", "write none")
    assert str(caught.value) == (
        "texts need it, which is not installed; pip install 'prompt-ensemble[texts]', or write none"
    )


def test_the_extras_that_errors_name_are_those_of_setup_cfg():
    setup = configparser.ConfigParser()
    setup.read(REPOSITORY / "setup.cfg")
    sources = (REPOSITORY / "prompt_ensemble").rglob("*.py")
    named = [
        re.findall(r'import_extra\(\s*"\w+", "(\w+)"', path.read_text("utf-8")) for path in sources
    ]
    extras = set(setup["options.extras_require"]) - NOT_FOR_USERS
    assert {extra for found in named for extra in found} == extras
