"""``write-prompts``: prompts that nobody has written yet, by a grammar or a language model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prompt_ensemble.cli import options

if TYPE_CHECKING:
    from prompt_ensemble.data.prompt_variety import Variety
    from prompt_ensemble.data.prompt_writing import Candidates, Written


@click.command("write-prompts")
@click.option("--count", default=1000, show_default=True, type=click.IntRange(min=1))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File to write.")
@click.option(
    "--grammar", type=click.Path(path_type=Path),
    help="TOML file with lists of words, and shapes, that take the place of the package's own.",
)  # fmt: skip
@click.option(
    "--model", metavar="FOLDER",
    help="Write with a causal language model (GPT-2, MagicPrompt, prompt expansion …) instead.",
)  # fmt: skip
@click.option(
    "--starts", type=click.Path(path_type=Path),
    help="File of prompts that the model expands, in turn; without it, it begins from nothing.",
)  # fmt: skip
@click.option(
    "--known", multiple=True, type=click.Path(path_type=Path),
    help="Files of known prompts: how new the written ones are is told.",
)  # fmt: skip
@click.option(
    "--novelty", type=click.FloatRange(0, 1, min_open=True), metavar="COSINE",
    help="Keep no prompt that is nearer than this to a known one.",
)  # fmt: skip
@click.option(
    "--threshold", default=0.8, show_default=True, type=click.FloatRange(0, 1, min_open=True),
    help="Cosine of the embeddings from which on two prompts count as one.",
)  # fmt: skip
@click.option("--seed", default=0, show_default=True)
@click.option(
    "--temperature", default=1.0, show_default=True, type=click.FloatRange(0, min_open=True)
)
@click.option(
    "--top-p", default=0.95, show_default=True, type=click.FloatRange(0, 1, min_open=True)
)
@click.option(
    "--longest", default=60, show_default=True, type=click.IntRange(min=1),
    help="New tokens of a text that a model writes.",
)  # fmt: skip
@click.option("--batch-size", default=64, show_default=True, type=click.IntRange(min=1))
@options.device
@options.weights
@options.quiet
@options.as_json
def command(
    count: int,
    out: Path,
    grammar: Path | None,
    model: str | None,
    starts: Path | None,
    known: tuple[Path, ...],
    novelty: float | None,
    threshold: float,
    seed: int,
    temperature: float,
    top_p: float,
    longest: int,
    batch_size: int,
    device: str,
    weights: tuple[Path, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Write prompts that differ from each other, one a line.

    Without --model they are made of shapes and word lists (subjects, actions, places, and the
    media, movements, artists and flavors of clip-interrogator). A stopped run continues with the
    same command.
    """
    from dataclasses import asdict

    from prompt_ensemble.core.embeddings import unit_rows
    from prompt_ensemble.core.files import require_writable
    from prompt_ensemble.core.progress import bar, silent
    from prompt_ensemble.data.prompt_files import read_prompts
    from prompt_ensemble.data.prompt_variety import variety_of
    from prompt_ensemble.data.prompt_writing import Wanted, write_distinct
    from prompt_ensemble.models.device import choose_placement
    from prompt_ensemble.models.sentence_encoder import SentenceEncoder

    _check(grammar, model, starts, known, novelty)
    require_writable(out.parent)
    placement, shown = choose_placement(device), silent if quiet else bar
    encoder = SentenceEncoder(placement=placement)
    rows = unit_rows(encoder.encode(read_prompts(known), progress=shown)) if known else None
    settings: dict[str, Any] = {
        "grammar": grammar, "model": model, "starts": starts, "known": known, "novelty": novelty,
        "threshold": threshold, "seed": seed, "temperature": temperature, "top_p": top_p,
        "longest": longest, "batch_size": batch_size,
    }  # fmt: skip
    if model:
        candidates = _of_model(model, starts, settings, placement, weights)
    else:
        candidates = _of_grammar(grammar, seed)
    wanted = Wanted(count, threshold, novelty or 1.01)
    written = write_distinct(
        candidates, wanted, out, settings, encode=encoder.encode, known=rows, progress=shown
    )
    variety = variety_of(written.prompts, written.vectors, rows)
    counts = {
        "prompts": len(written.prompts), "candidates": written.candidates,
        "faulty": written.faulty, "alike": written.alike, "known": written.known,
    }  # fmt: skip
    record = {**counts, **asdict(variety), "out": str(out)}
    click.echo(json.dumps(record) if as_json else summary(written, variety, count, out))


def _check(
    grammar: Path | None,
    model: str | None,
    starts: Path | None,
    known: tuple[Path, ...],
    novelty: float | None,
) -> None:
    """Refuse options that would do nothing."""
    if model and grammar:
        raise click.UsageError("--grammar and --model are two ways to write; give one")
    if starts and not model:
        raise click.UsageError("--starts are expanded by a language model; name it (--model)")
    if novelty is not None and not known:
        raise click.UsageError("--novelty needs known prompts to be new beside (--known)")


def _of_grammar(file: Path | None, seed: int) -> Candidates:
    """A thousand sentences a batch."""
    from itertools import islice

    from prompt_ensemble.data.prompt_grammar import grammar_prompts, load_grammar

    grammar = load_grammar(file)

    def batch(number: int) -> list[str]:
        return list(islice(grammar_prompts(grammar, seed * 1_000_003 + number), 1000))

    return batch


def _of_model(
    name: str,
    starts: Path | None,
    settings: dict[str, Any],
    placement: Any,
    weights: tuple[Path, ...],
) -> Candidates:
    """A batch of texts of the model, from the starts in turn."""
    from prompt_ensemble.data.prompt_files import read_prompts
    from prompt_ensemble.models.text_decoder.free_writer import open_free_writer
    from prompt_ensemble.models.text_generation.generation import Generation
    from prompt_ensemble.models.weights import WeightRoots

    writer = open_free_writer(WeightRoots.usual(weights).find(name).path, placement)
    begun = read_prompts([starts]) if starts else [""]
    size = settings["batch_size"]

    def batch(number: int) -> list[str]:
        generation = Generation(
            do_sample=True, temperature=settings["temperature"], top_p=settings["top_p"],
            max_new_tokens=settings["longest"], seed=settings["seed"] * 1_000_003 + number,
        )  # fmt: skip
        first = number * size
        chosen = [begun[(first + place) % len(begun)] for place in range(size)]
        return writer.write(chosen, generation, size)

    return batch


def summary(written: Written, variety: Variety, count: int, out: Path) -> str:
    """The same for people."""
    short = "" if len(written.prompts) == count else f" of {count}, for no more differ"
    new = ""
    if variety.nearest_known is not None:
        new = f"; nearest known prompt at {variety.nearest_known:.3f}"
    return (
        f"{len(written.prompts)} prompts{short} in {out}, of {written.candidates} candidates: "
        f"{written.faulty} were faulty, {written.alike} alike, {written.known} known. They have "
        f"{variety.words:.1f} words, and two of them a cosine of {variety.mean_cosine:.3f}{new}"
    )
