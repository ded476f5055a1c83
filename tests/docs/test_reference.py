"""The reference is what the code says now."""

import pytest

from scripts.write_reference import FOLDER, PAGES


@pytest.mark.parametrize("file", PAGES)
def test_the_reference_is_fresh(file):
    written = (FOLDER / file).read_text(encoding="utf-8")
    assert written == PAGES[file](), "stale; run 'make reference'"


def test_every_command_is_there():
    from prompt_ensemble.cli.main import COMMANDS

    page = PAGES["commands.md"]()
    assert all(f"## `prompt-ensemble {name}" in page for name in COMMANDS)
