"""``embed``: texts to the embeddings the competition scores with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prompt_ensemble.cli import options

if TYPE_CHECKING:
    from prompt_ensemble.core.embeddings import Embeddings


@click.command("embed")
@click.argument("texts", nargs=-1)
@click.option(
    "--from", "table", type=click.Path(path_type=Path),
    help="prompts.csv (imgId,prompt) instead of texts.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path),
    help="Write here: .csv as a submission, .safetensors as an embeddings file.",
)  # fmt: skip
@options.device
@options.quiet
def command(
    texts: tuple[str, ...], table: Path | None, out: Path | None, device: str, quiet: bool
) -> None:
    """Embed TEXTS, or the prompts of a table; without --out one JSON object a line is printed."""
    from prompt_ensemble.core.embeddings import Embeddings
    from prompt_ensemble.core.progress import bar, silent
    from prompt_ensemble.models.device import choose_placement
    from prompt_ensemble.models.sentence_encoder import SentenceEncoder

    prompts = _prompts_to_embed(texts, table)
    encoder = SentenceEncoder(placement=choose_placement(device))
    vectors = encoder.encode(list(prompts.values()), progress=silent if quiet else bar)
    embeddings = Embeddings(tuple(prompts), vectors)
    if out is None:
        for (image_id, text), vector in zip(prompts.items(), vectors.tolist(), strict=True):
            click.echo(json.dumps({"id": image_id, "text": text, "embedding": vector}))
    else:
        write(embeddings, out)
        click.echo(f"{len(embeddings)} embeddings in {out}")


def _prompts_to_embed(texts: tuple[str, ...], table: Path | None) -> dict[str, str]:
    """Id → text, from the arguments (numbered) or from a table."""
    from prompt_ensemble.data.truth import load_prompts

    if bool(texts) == bool(table):
        raise click.UsageError("give either TEXTS or --from FILE")
    return load_prompts(table) if table else {str(n): text for n, text in enumerate(texts)}


def write(embeddings: Embeddings, out: Path) -> None:
    """Embeddings in the format of the file's suffix."""
    from prompt_ensemble.core.submission import write_submission

    if out.suffix == ".csv":
        write_submission(out, embeddings, embeddings.image_ids)
    elif out.suffix == ".safetensors":
        embeddings.save(out)
    else:
        raise click.BadParameter(f"{out} must end in .csv or .safetensors", param_hint="--out")
