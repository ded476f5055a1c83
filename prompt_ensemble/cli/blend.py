"""``blend``: other weights for members that have been run."""

from __future__ import annotations

import json
from pathlib import Path

import click

from prompt_ensemble.cli import options


@click.command("blend")
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--weight", "pairs", multiple=True, required=True, metavar="MEMBER=NUMBER",
    help="Share of a member in the blend; repeatable, one for each member wanted.",
)  # fmt: skip
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File to write.")
@options.sample
@options.as_json
def command(
    run: Path, pairs: tuple[str, ...], out: Path, sample: Path | None, as_json: bool
) -> None:
    """Blend the members of RUN, the folder that 'predict --out' filled."""
    from prompt_ensemble.core.blend import blend
    from prompt_ensemble.core.embeddings import Embeddings
    from prompt_ensemble.core.errors import BadConfig, nearest_name
    from prompt_ensemble.core.submission import submission_ids, write_submission

    weights = _read_weights(pairs)
    files = {path.stem: path for path in sorted((run / "embeddings").glob("*.safetensors"))}
    for name in weights:
        if name not in files:
            raise BadConfig(f"{run} has no member {name!r}; {nearest_name(name, list(files))}")
    blended = blend({name: Embeddings.load(files[name]) for name in weights}, weights)
    write_submission(out, blended, submission_ids(sample) if sample else None)
    record = {"submission": str(out), "images": len(blended)}
    click.echo(json.dumps(record) if as_json else f"{len(blended)} images in {out}")


def _read_weights(pairs: tuple[str, ...]) -> dict[str, float]:
    """``MEMBER=NUMBER`` settings as weights."""
    weights = options.read_settings(pairs)
    for name, weight in weights.items():
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise click.BadParameter(f"{name}={weight} is not MEMBER=NUMBER", param_hint="--weight")
    return {name: float(weight) for name, weight in weights.items()}
