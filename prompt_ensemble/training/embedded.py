"""``python -m prompt_ensemble.training.embedded retrain|evaluate|leave-out``: the embedded members.

Behind ``make retrain-embedded``, ``make evaluate-embedded`` and ``make tune-embedded``.
"""

from __future__ import annotations

from pathlib import Path

import click

from prompt_ensemble.checkpoints import read_json
from prompt_ensemble.errors import PromptEnsembleError
from prompt_ensemble.predictors import Encode
from prompt_ensemble.progress import bar
from prompt_ensemble.sentence_encoder import SentenceEncoder
from prompt_ensemble.training.feature_head import FeatureHeadRecipe
from prompt_ensemble.training.feature_head_run import (
    SCORES,
    Material,
    gather,
    judge_head,
    run_feature_head,
)
from prompt_ensemble.training.left_out import left_out_members, write_left_out
from prompt_ensemble.training.pairs import read_pairs
from prompt_ensemble.training.public_images import public_scores
from prompt_ensemble.training.score_tables import margin_table, public_table, source_table
from prompt_ensemble.training.shipping import CARD, note_in_card, ship
from prompt_ensemble.weights import WeightRoots, embedded_folder, load_manifest

NAME = "embedded-lites"
SHOWN = (NAME, "embedded-lite0")

path = click.Path(path_type=Path)
data = click.option("--data", required=True, type=path, help="Listing of pairs.")
prompts = click.option("--open-prompts", required=True, type=path, help="Prompts, one a line.")
competition = click.option("--competition", type=path, help="Folder of the public images.")
out = click.option("--out", required=True, type=path, help="Run folder; keeps features, too.")


@click.group()
def main() -> None:
    """Train or judge the regressor that travels inside the package."""


@main.command()
@data
@prompts
@competition
@out
@click.option("--revision", required=True, help="Of the new weights, for the manifest.")
@click.option("--weights", type=path, help="Folder to ship to; the package's if none is given.")
def retrain(
    data: Path,
    open_prompts: Path,
    competition: Path | None,
    out: Path,
    revision: str,
    weights: Path | None,
) -> None:
    """Judge, train on all pairs, and put the result into the weights folder."""
    recipe, encode, roots = FeatureHeadRecipe(), SentenceEncoder().encode, WeightRoots.usual()
    material = gathered(data, open_prompts, out, recipe, encode, roots)
    record = run_feature_head(material, recipe, out)
    home = weights or embedded_folder()
    ship(Path(str(record["regressor"])), NAME, revision, home)
    load_manifest.cache_clear()
    public = public_scores(competition, SHOWN, encode, roots) if competition else {}
    note_in_card(home / CARD, read_json(out / SCORES), public)
    click.echo(f"shipped to {home / NAME}; tables are in {home / CARD}")


@main.command()
@data
@prompts
@competition
@out
def evaluate(data: Path, open_prompts: Path, competition: Path | None, out: Path) -> None:
    """Print the tables of the model card, measured again."""
    recipe, encode, roots = FeatureHeadRecipe(), SentenceEncoder().encode, WeightRoots.usual()
    scores = judge_head(gathered(data, open_prompts, out, recipe, encode, roots), recipe)
    click.echo(source_table(scores))
    click.echo(margin_table(scores))
    if competition:
        click.echo(public_table(public_scores(competition, SHOWN, encode, roots)))


@main.command()
@data
@prompts
@out
def leave_out(data: Path, open_prompts: Path, out: Path) -> None:
    """Write what members say of left-out sources into OUT/left_out, for 'tune'."""
    recipe, encode, roots = FeatureHeadRecipe(), SentenceEncoder().encode, WeightRoots.usual()
    material = gathered(data, open_prompts, out, recipe, encode, roots)
    for file in write_left_out(left_out_members(material, recipe), material, out / "left_out"):
        click.echo(file)


def gathered(
    data: Path,
    open_prompts: Path,
    cache: Path,
    recipe: FeatureHeadRecipe,
    encode: Encode,
    roots: WeightRoots,
) -> Material:
    """What either command works on."""
    return gather(
        read_pairs(data, ()), recipe, cache, encode=encode, roots=roots,
        open_prompts=open_prompts, progress=bar,
    )  # fmt: skip


if __name__ == "__main__":
    try:
        main()
    except PromptEnsembleError as error:
        raise SystemExit(f"error: {error}") from error
