"""``dedupe``: prompts without exact and near duplicates."""

from __future__ import annotations

import json
from pathlib import Path

import click

from prompt_ensemble.cli import options


@click.command("dedupe")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--threshold", default=0.8, show_default=True, type=click.FloatRange(0, 1, min_open=True),
    help="Cosine of the embeddings from which on two prompts count as one.",
)  # fmt: skip
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File to write.")
@click.option("--exact", is_flag=True, help="Exact products however many prompts there are.")
@options.device
@options.quiet
@options.as_json
def command(
    files: tuple[Path, ...],
    threshold: float,
    out: Path,
    exact: bool,
    device: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write the prompts of FILES (lines; 'prompt' in .csv and .jsonl) that differ."""
    from prompt_ensemble.core.progress import bar, silent
    from prompt_ensemble.data.approximate_index import ApproximateIndex
    from prompt_ensemble.data.deduplication import deduplicate
    from prompt_ensemble.data.exact_index import ExactIndex
    from prompt_ensemble.data.prompt_files import read_prompts, write_prompts
    from prompt_ensemble.models.device import choose_placement
    from prompt_ensemble.models.sentence_encoder import SentenceEncoder

    prompts = read_prompts(files)
    encoder = SentenceEncoder(placement=choose_placement(device))
    index = ExactIndex() if exact else ApproximateIndex()
    shown = silent if quiet else bar
    found = deduplicate(prompts, encoder.encode, threshold, index=index, progress=shown)
    write_prompts(out, (prompts[place] for place in found.kept))
    record = {
        "prompts": len(prompts),
        "kept": len(found.kept),
        "exact_duplicates": found.exact,
        "near_duplicates": found.near,
        "threshold": threshold,
        "out": str(out),
    }
    click.echo(json.dumps(record) if as_json else summary(record))


def summary(record: dict[str, object]) -> str:
    """The same for people."""
    return (
        "{kept} of {prompts} prompts kept in {out}: {exact_duplicates} were exact duplicates, "
        "{near_duplicates} within cosine {threshold} of one that is kept"
    ).format(**record)
