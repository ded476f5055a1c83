"""Writes docs/reference: every command and option, and the Python names, from the code itself.

``python -m scripts.write_reference`` (``make reference``) writes; a test compares.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

import prompt_ensemble
from prompt_ensemble.cli.main import group

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "prompt_ensemble"
FOLDER = ROOT / "docs" / "reference"


def commands_page() -> str:
    """Every command with its arguments, options and defaults."""
    head = [
        "# Commands",
        "",
        "Written from the code by `make reference`. Options of one name mean the same everywhere.",
        "",
    ]
    return "\n".join([*head, *_command(group, "prompt-ensemble")]) + "\n"


def python_page() -> str:
    """The public names with signatures, then every room with its modules."""
    lines = [
        "# Python",
        "",
        "Written from the docstrings by `make reference`. What comes first is kept stable; the",
        "rooms below are for whoever works on the package.",
        "",
        "## `prompt_ensemble`",
        "",
    ]
    for name in prompt_ensemble.__all__:
        if not name.startswith("__"):
            lines += _public(name, getattr(prompt_ensemble, name))
    for folder in sorted({path.parent for path in PACKAGE.rglob("*.py")} - {PACKAGE}):
        lines += _room(folder)
    return "\n".join(lines).rstrip() + "\n"


def _command(command: click.Command, name: str) -> Iterator[str]:
    """A command, or all of a group."""
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            assert found is not None
            yield from _command(found, f"{name} {child}")
        return
    context = click.Context(command, info_name=name)
    yield from (f"## `{name}`", "", inspect.cleandoc(command.help or ""), "")
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    yield from ("```", usage, "```", "", "| option | meaning | default |", "|---|---|---|")
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield _option(parameter, context)
    yield ""


def _option(option: click.Option, context: click.Context) -> str:
    """One row of a command's table."""
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    value = "" if option.is_flag else f" `{option.make_metavar(context)}`"
    default = option.get_default(context)
    simple = isinstance(default, str | int | float) and default != "" and not option.is_flag
    shown = f"`{default}`" if simple else ""
    needed = "required" if option.required else shown
    text = " ".join((option.help or "").split()).replace("|", "\\|")
    return f"| {names}{value.replace('|', chr(92) + '|')} | {text} | {needed} |"


def _public(name: str, what: object) -> Iterator[str]:
    """A public name with its signature and docstring; of a class its public methods, too."""
    yield from (f"### `{name}`", "", *_signature(name, what))
    if not inspect.isclass(what):
        return
    for method, function in vars(what).items():
        called = function.__func__ if isinstance(function, classmethod) else function
        if inspect.isfunction(called) and not method.startswith("_"):
            yield from (f"#### `{name}.{method}`", "", *_signature(method, called))


def _signature(name: str, what: object) -> Iterator[str]:
    """How something is called, and what it says of itself."""
    if callable(what):
        signature = re.sub(r"<function (\w+) at 0x\w+>", r"\1", str(inspect.signature(what)))
        yield from ("```python", f"{name}{signature}", "```", "")
    yield from (inspect.cleandoc(what.__doc__ or ""), "")


def _room(folder: Path) -> Iterator[str]:
    """A folder: its own sentence, and that of each module."""
    name = str(folder.relative_to(PACKAGE)).replace("/", ".")
    yield from (f"## `prompt_ensemble.{name}`", "", _sentence(folder / "__init__.py"), "")
    modules = [path for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]
    yield from (f"- `{path.stem}`: {_sentence(path)}" for path in modules)
    if modules:
        yield ""


def _sentence(path: Path) -> str:
    """The first line of a module's docstring."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n")[0]


PAGES = {"commands.md": commands_page, "python.md": python_page}

if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for file, page in PAGES.items():
        (FOLDER / file).write_text(page(), encoding="utf-8")
        print(FOLDER / file)  # noqa: T201
