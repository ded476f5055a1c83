"""``train``: regressors and captioners from pairs, a prompt writer from prompts alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from prompt_ensemble.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

Record = dict[str, Any]
"""Of a training run, as its ``run.json``."""
_SOON_ENCODED = 2000
"""Texts whose embedding needs no progress bar."""

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
recipe_file = click.option(
    "--recipe", type=click.Path(path_type=Path), help="TOML file of recipe keys."
)
recipe_settings = click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="One recipe key."
)
hold_out = click.option(
    "--hold-out", "sources", multiple=True, metavar="SOURCE",
    help="Judge on this source, which is not trained on; several may be given.",
)  # fmt: skip
hold_out_share = click.option(
    "--hold-out-share", default=0.1, show_default=True, type=click.FloatRange(0, 1, max_open=True),
    help="Else judge on this share of groups of near-duplicate prompts; 0 trains on all.",
)  # fmt: skip
checkpoint_every = click.option(
    "--checkpoint-every", default=100, show_default=True, type=click.IntRange(min=1)
)
leave_gpus = click.option("--cpu", is_flag=True, help="Leave GPUs alone.")


@click.group("train")
def command() -> None:
    """Train a model."""


@command.command("regressor")
@data
@images
@out
@recipe_file
@recipe_settings
@hold_out
@hold_out_share
@click.option("--allow-shared-prompts", is_flag=True, help="Judge on prompts trained on, too.")
@cache
@checkpoint_every
@leave_gpus
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
    from prompt_ensemble.training.held_out import HeldOut
    from prompt_ensemble.training.recipe_files import read_recipe
    from prompt_ensemble.training.regressor.recipe import Recipe
    from prompt_ensemble.training.regressor.regressor_training import train_regressor

    record = train_regressor(
        read_pairs(data, images), read_recipe(Recipe, recipe, options.read_settings(settings)), out,
        encode=SentenceEncoder().encode, roots=WeightRoots.usual(),
        held_out=HeldOut(sources, hold_out_share, allow_shared_prompts),
        cache=cache, checkpoint_every=checkpoint_every, cpu=cpu,
        progress=silent if quiet else bar,
    )  # fmt: skip
    _tell(record, summary, as_json)


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
    _tell(record, lambda record: f"saved in {record['regressor']}", as_json)


@command.command("captioner")
@click.option(
    "--data", "listings", required=True, multiple=True, type=click.Path(path_type=Path),
    help="JSON lines with 'image' and 'prompt' or 'captions'; several may be given.",
)  # fmt: skip
@images
@click.option(
    "--from", "started", metavar="NAME",
    help="Captioner to fine-tune: a name among the weights, or a folder or checkpoint of BLIP, "
    "GIT, CoCa, BLIP-2, Florence-2, a vision encoder-decoder, or of this command.",
)  # fmt: skip
@out
@recipe_file
@recipe_settings
@hold_out
@hold_out_share
@click.option(
    "--source-field", default="source", show_default=True, metavar="FIELD",
    help="Field of the listing by which sources are held out and scores are told apart.",
)  # fmt: skip
@cache
@checkpoint_every
@leave_gpus
@options.weights
@options.quiet
@options.as_json
def captioner(
    listings: tuple[Path, ...],
    images: tuple[Path, ...],
    started: str | None,
    out: Path,
    recipe: Path | None,
    settings: tuple[str, ...],
    sources: tuple[str, ...],
    hold_out_share: float,
    source_field: str,
    cache: Path | None,
    checkpoint_every: int,
    cpu: bool,
    weights: tuple[Path, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Train a captioner, or fine-tune a published one; the same command continues a stopped run.

    Without --from, a decoder learns to read a frozen image tower, whose features are made once and
    kept. With start_from=WRITER in the recipe it begins as that prompt writer's, which has learnt
    from texts alone; with decoder=language-model language_model=FOLDER it is GPT-2 or the like.
    self_critical_steps=N goes on with N steps in which captions are drawn and rewarded by their
    cosine with the true prompt.

    With --from, a captioner that says other things learns to say prompts: all of it, its text side
    (tuned=decoder) or low-rank additions (tuned=lora). What counts is the cosine of captions of
    held-out images with the true prompts; the weights that were best there are saved, in the layout
    that they came in.
    """
    from prompt_ensemble.core.progress import bar, silent
    from prompt_ensemble.data.pairs import join_pairs, read_pairs
    from prompt_ensemble.members.captioners.layouts import find_captioner
    from prompt_ensemble.models.device import choose_placement
    from prompt_ensemble.models.sentence_encoder import SentenceEncoder
    from prompt_ensemble.models.weights import WeightRoots
    from prompt_ensemble.training.captioner.captioner_training import train_captioner
    from prompt_ensemble.training.captioner.recipe import CaptionerRecipe
    from prompt_ensemble.training.captioner.start import going_on_from
    from prompt_ensemble.training.fine_tuning.fine_tuning import fine_tune
    from prompt_ensemble.training.fine_tuning.recipe import FineTuneRecipe
    from prompt_ensemble.training.held_out import HeldOut
    from prompt_ensemble.training.recipe_files import read_recipe

    given = options.read_settings(settings)
    roots = WeightRoots.usual(weights)
    pairs = join_pairs([read_pairs(listing, images, source_field) for listing in listings])
    common: Record = {
        "encode": SentenceEncoder(placement=choose_placement("cpu" if cpu else "auto")).encode,
        "roots": roots, "held_out": HeldOut(sources, hold_out_share),
        "checkpoint_every": checkpoint_every, "cpu": cpu, "progress": silent if quiet else bar,
    }  # fmt: skip
    is_ours = not started or find_captioner(started, roots)[0] == "captioner"
    if started and not is_ours:
        tuned = read_recipe(FineTuneRecipe, recipe, given)
        record = fine_tune(started, pairs, tuned, out, **common)
    else:
        trained = read_recipe(CaptionerRecipe, recipe, given)
        trained = going_on_from(started, trained, roots) if started else trained
        record = train_captioner(pairs, trained, out, cache=cache, **common)
    _tell(record, summary, as_json)


@command.command("writer")
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--predicted", required=True, type=click.Path(path_type=Path),
    help="Embeddings that an ensemble predicted for images it was not trained on; they show how "
    "it errs.",
)  # fmt: skip
@click.option(
    "--truth", required=True, type=click.Path(path_type=Path),
    help="The true prompts of those images: prompts.csv (imgId,prompt) or embeddings; texts near "
    "to them are not trained on, so that the writer may be judged on those images.",
)  # fmt: skip
@click.option("--column", default="prompt", show_default=True, help="Column of parquet files.")
@out
@recipe_file
@recipe_settings
@checkpoint_every
@leave_gpus
@options.device
@options.quiet
@options.as_json
def writer(
    sources: tuple[Path, ...],
    predicted: Path,
    truth: Path,
    column: str,
    out: Path,
    recipe: Path | None,
    settings: tuple[str, ...],
    checkpoint_every: int,
    cpu: bool,
    device: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Train a prompt writer on the prompts of SOURCES (text, CSV, parquet), without any image.

    It learns to write a prompt again from its embedding, disturbed as an ensemble errs; with
    self_critical_steps=N it goes on with N steps in which texts are drawn and rewarded by their
    cosine with the prompt. A rerun continues.
    """
    from prompt_ensemble.core.progress import bar, silent
    from prompt_ensemble.data.prompt_files import stream_prompts
    from prompt_ensemble.data.truth import load_truth, load_vectors
    from prompt_ensemble.models.device import choose_placement
    from prompt_ensemble.models.sentence_encoder import SentenceEncoder
    from prompt_ensemble.training.recipe_files import read_recipe
    from prompt_ensemble.training.writer.recipe import WriterRecipe
    from prompt_ensemble.training.writer.texts import plain_prompts
    from prompt_ensemble.training.writer.writer_training import train_writer

    shown = silent if quiet else bar
    encoder = SentenceEncoder(placement=choose_placement("cpu" if cpu else device))
    guessed = load_vectors(predicted)
    true = load_truth(truth, encoder.encode).take(guessed.image_ids)

    def encode(texts: Sequence[str]) -> np.ndarray:
        return encoder.encode(texts, progress=shown if len(texts) > _SOON_ENCODED else silent)

    record = train_writer(
        plain_prompts(stream_prompts(sources, column)),
        guessed.vectors, true.vectors,
        read_recipe(WriterRecipe, recipe, options.read_settings(settings)), out,
        encode=encode, checkpoint_every=checkpoint_every, cpu=cpu,
        progress=shown,
    )  # fmt: skip
    _tell(record, lambda record: f"saved in {out / 'writer'}", as_json)


def _tell(record: Record, summary: Callable[[Record], str], as_json: bool) -> None:
    """Say what came of a training; of several processes that torchrun started, the first does."""
    if os.environ.get("RANK", "0") == "0":
        click.echo(json.dumps(record) if as_json else summary(record))


def summary(record: Record) -> str:
    """The same for people."""
    score = record.get("score")
    scored = "nothing was held out"
    if isinstance(score, float):
        scored = f"held-out mean cosine {score:.4f} on {record['judged_on']} pairs"
    if isinstance(gain := record.get("gain"), dict):
        scored += f" ({gain['mean']:+.4f}, 95% {gain['low']:+.4f} to {gain['high']:+.4f})"
    saved = record.get("regressor") or record["captioner"]
    return f"trained on {record['trained_on']} pairs; {scored}; saved in {saved}"
