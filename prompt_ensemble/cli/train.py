"""``train``: regressors from pairs of images and prompts."""

from __future__ import annotations

import json
from pathlib import Path

import click

from prompt_ensemble.cli import options

data = click.option(
    "--data", required=True, type=click.Path(path_type=Path),
    help="JSON lines with 'image' and 'prompt', perhaps 'source' and 'tier'.",
)  # fmt: skip
images = click.option(
    "--images", multiple=True, type=click.Path(path_type=Path),
    help="Folder below which the images lie; several may be given. Default: next to the data.",
)  # fmt: skip
out = click.option("--out", required=True, type=click.Path(path_type=Path), help="Run folder.")
cache = click.option(
    "--cache", type=click.Path(path_type=Path),
    help="Folder for what is computed once; the run folder if none is given.",
)  # fmt: skip


@click.group("train")
def command() -> None:
    """Train a model."""


@command.command("regressor")
@data
@images
@out
@click.option("--recipe", type=click.Path(path_type=Path), help="TOML file of recipe keys.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="One recipe key.")
@click.option(
    "--hold-out", "sources", multiple=True, metavar="SOURCE",
    help="Judge on this source, which is not trained on; several may be given.",
)  # fmt: skip
@click.option(
    "--hold-out-share", default=0.1, show_default=True, type=click.FloatRange(0, 1, max_open=True),
    help="Else judge on this share of groups of near-duplicate prompts; 0 trains on all.",
)  # fmt: skip
@click.option("--allow-shared-prompts", is_flag=True, help="Judge on prompts trained on, too.")
@cache
@click.option("--checkpoint-every", default=100, show_default=True, type=click.IntRange(min=1))
@click.option("--cpu", is_flag=True, help="Leave GPUs alone.")
@options.quiet
@options.as_json
def regressor(
    data: Path,
    images: tuple[Path, ...],
    out: Path,
    recipe: Path | None,
    settings: tuple[str, ...],
    sources: tuple[str, ...],
    hold_out_share: float,
    allow_shared_prompts: bool,
    cache: Path | None,
    checkpoint_every: int,
    cpu: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Train a regressor; the same command continues a run that was stopped."""
    from prompt_ensemble.core.progress import bar, silent
    from prompt_ensemble.data.pairs import read_pairs
    from prompt_ensemble.models.sentence_encoder import SentenceEncoder
    from prompt_ensemble.models.weights import WeightRoots
    from prompt_ensemble.training.regressor.held_out import HeldOut
    from prompt_ensemble.training.regressor.recipe import read_recipe
    from prompt_ensemble.training.regressor.regressor_training import train_regressor

    record = train_regressor(
        read_pairs(data, images), read_recipe(recipe, options.read_settings(settings)), out,
        encode=SentenceEncoder().encode, roots=WeightRoots.usual(),
        held_out=HeldOut(sources, hold_out_share, allow_shared_prompts),
        cache=cache, checkpoint_every=checkpoint_every, cpu=cpu,
        progress=silent if quiet else bar,
    )  # fmt: skip
    click.echo(json.dumps(record) if as_json else summary(record))


@command.command("head")
@data
@images
@out
@click.option("--penalty", default=16.0, show_default=True, help="Of the ridge regression.")
@click.option(
    "--open-prompts", type=click.Path(path_type=Path),
    help="Prompts of all kinds, one a line; they tell which directions carry meaning.",
)  # fmt: skip
@cache
@click.option("--judge/--no-judge", default=True, help="Score on left-out sources first.")
@options.quiet
@options.as_json
def head(
    data: Path,
    images: tuple[Path, ...],
    out: Path,
    penalty: float,
    open_prompts: Path | None,
    cache: Path | None,
    judge: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Train the embedded default: a linear head on frozen EfficientNet-Lites, on a CPU."""
    from prompt_ensemble.core.progress import bar, silent
    from prompt_ensemble.data.pairs import read_pairs
    from prompt_ensemble.models.sentence_encoder import SentenceEncoder
    from prompt_ensemble.models.weights import WeightRoots
    from prompt_ensemble.training.feature_head.feature_head import FeatureHeadRecipe
    from prompt_ensemble.training.feature_head.feature_head_run import gather, run_feature_head

    recipe = FeatureHeadRecipe(penalty=penalty)
    material = gather(
        read_pairs(data, images), recipe, cache or out, encode=SentenceEncoder().encode,
        roots=WeightRoots.usual(), open_prompts=open_prompts, progress=silent if quiet else bar,
    )  # fmt: skip
    record = run_feature_head(material, recipe, out, judge=judge)
    click.echo(json.dumps(record) if as_json else f"saved in {record['regressor']}")


def summary(record: dict[str, object]) -> str:
    """The same for people."""
    score = record["score"]
    scored = "nothing was held out"
    if isinstance(score, float):
        scored = f"held-out mean cosine {score:.4f} on {record['judged_on']} pairs"
    return f"trained on {record['trained_on']} pairs; {scored}; saved in {record['regressor']}"
