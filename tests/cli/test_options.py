"""Options feel alike: one name means one thing in every command, and is there where it helps."""

import click
import pytest

from prompt_ensemble.cli.main import group

RUN_MODELS = ("predict", "plan", "caption", "interrogate", "bank query")
ANSWER = (
    *RUN_MODELS, "blend", "tune", "evaluate", "check", "score", "dedupe", "train head",
    "train regressor", "weights list", "weights verify", "doctor",
)  # fmt: skip
WRITE = ("predict", "caption", "blend", "tune", "evaluate", "embed", "dedupe", "train regressor")
SHARED = ("--weights", "--precision", "--workers", "--quiet", "--json", "--batch-size")


def commands() -> dict[str, click.Command]:
    found = {}

    def walk(command: click.Command, name: str) -> None:
        if isinstance(command, click.Group):
            context = click.Context(command)
            for child in command.list_commands(context):
                walk(command.get_command(context, child), f"{name} {child}".strip())
        else:
            found[name] = command

    walk(group, "")
    return found


def options(command: click.Command) -> dict[str, click.Option]:
    return {p.opts[-1]: p for p in command.params if isinstance(p, click.Option)}


@pytest.mark.parametrize("name", SHARED)
def test_an_option_of_a_shared_name_means_the_same_everywhere(name):
    there = [options(command)[name] for command in commands().values() if name in options(command)]
    assert len(there) > 1
    kinds = {(type(option.type), option.metavar, option.multiple) for option in there}
    assert len(kinds) == 1 and len({option.help for option in there}) == 1


@pytest.mark.parametrize("name", RUN_MODELS)
def test_a_command_that_runs_models_says_where_and_how(name):
    there = options(commands()[name])
    assert {"--weights", "--device", "--precision", "--workers", "--quiet"} <= set(there)


@pytest.mark.parametrize("name", ANSWER)
def test_an_answer_can_be_had_as_json(name):
    assert "--json" in options(commands()[name])


@pytest.mark.parametrize("name", WRITE)
def test_what_is_written_goes_to_out(name):
    assert "--out" in options(commands()[name])


def test_long_work_can_be_quiet():
    long = ["embed", "bank build", "dedupe", "train head", "train regressor", "tune", "evaluate"]
    assert all("--quiet" in options(commands()[name]) for name in long)
