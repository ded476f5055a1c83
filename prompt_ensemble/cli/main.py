"""The command line: a table of commands, each imported only when it is run."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from importlib import import_module

import click

from prompt_ensemble import __version__
from prompt_ensemble.core.errors import PromptEnsembleError, nearest_name

_FAULT = 70
"""Exit code of an error that nobody foresaw; sysexits.h calls it an internal software error."""
COMMANDS = {
    "predict": "Look at images and write a checked submission.csv.",
    "plan": "Say what a run would take, from a short probe.",
    "caption": "Say what is in images, with one captioner.",
    "interrogate": "Turn images into prompts from phrases near to them.",
    "blend": "Blend the members of finished runs with other weights.",
    "tune": "Fit the weights of a blend to a validation set, honestly.",
    "evaluate": "Say how good a run is, in numbers and as a page.",
    "study": "Compare captioners, and say why they differ.",
    "check": "Find everything wrong with a submission.csv.",
    "score": "Score a submission against the true prompts.",
    "embed": "Turn texts into sentence embeddings.",
    "bank": "Build and query banks of known prompts.",
    "gather": "Gather images and their prompts into a set to train on.",
    "dedupe": "Leave out prompts that are the same or nearly so.",
    "write-prompts": "Write prompts that differ, by a grammar or a language model.",
    "generate": "Draw prompts with a diffusion model: pairs to train on.",
    "train": "Train regressors, captioners and prompt writers.",
    "weights": "List, verify and locate model weights.",
    "doctor": "Say what this machine can run, and why not the rest.",
}


class _LazyGroup(click.Group):
    """Knows its commands by name, so that help never imports one."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command, from the module of its name."""
        if name not in COMMANDS:
            context.fail(f"no command {name!r}; {nearest_name(name, list(COMMANDS))}")
        command: click.Command = import_module(
            f"prompt_ensemble.cli.{name.replace('-', '_')}"
        ).command
        return command

    def invoke(self, context: click.Context) -> object:
        """The command's result; a reader of the output that has seen enough ends it in peace."""
        try:
            return super().invoke(context)
        except BrokenPipeError:  # caught here, since click makes an exit with code 1 of it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands above."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="prompt-ensemble")
def group() -> None:
    """Which prompt made this image? As text and as the embedding a competition asks for."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    0 is success, 1 an error in one line, 2 wrong usage, 70 a fault of ours, 130 Ctrl-C.
    """
    # No model may reach for a hub: weights are local files, and a typo must not become a download.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        result = group.main(args=arguments, prog_name="prompt-ensemble", standalone_mode=False)
    except PromptEnsembleError as error:
        click.echo(f"error: {error}", err=True)
        return 1
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped; the same command continues where it was", err=True)
        return 130
    except OSError as error:  # a folder given as a file, a full disk: the system says what is wrong
        name = error.filename2 or error.filename
        where = f"{name}: " if name else ""
        click.echo(f"error: {where}{error.strerror or error}", err=True)
        return 1
    except Exception as error:  # the last net: a fault of ours, still one line for the user
        click.echo(f"error: {_report_fault(error)}", err=True)
        return _FAULT
    return result if isinstance(result, int) else 0


def _report_fault(error: Exception) -> str:
    """One line about an error nobody foresaw; it names the file that keeps the traceback."""
    reason = " ".join(str(error).split())[:200]
    line = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="prompt-ensemble-", suffix=".log", delete=False, errors="backslashreplace"
        ) as file:
            file.write(f"{' '.join(sys.argv)}\n\n{''.join(traceback.format_exception(error))}")
    except OSError:
        return f"{line}; this is a fault of prompt-ensemble, please report it"
    return f"{line}; this is a fault of prompt-ensemble, please report it with {file.name}"


if __name__ == "__main__":
    sys.exit(main())
