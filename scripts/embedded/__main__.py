"""``python -m scripts.embedded COMMAND``: how what lies in ``weights/`` is made and judged.

Behind ``make retrain-embedded``, ``evaluate-embedded``, ``tune-embedded``, ``evaluate-views``,
``note-training-prompts``, ``train-writer``, ``train-captioner`` and ``evaluate-words``.
"""

from __future__ import annotations

from pathlib import Path

import click

from prompt_ensemble.core.errors import PromptEnsembleError
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.progress import bar
from prompt_ensemble.core.seen_prompts import TRAINED_ON
from prompt_ensemble.data.pairs import read_pairs
from prompt_ensemble.data.thinning import thinned
from prompt_ensemble.models.checkpoints import read_json
from prompt_ensemble.models.sentence_encoder import SentenceEncoder
from prompt_ensemble.models.weights import WeightRoots, embedded_folder, load_manifest
from prompt_ensemble.training.feature_head.feature_head import FeatureHeadRecipe
from prompt_ensemble.training.feature_head.feature_head_run import (
    SCORES,
    Material,
    gather,
    judge_head,
    run_feature_head,
    training_prompts,
)
from scripts.embedded.contact_sheet import write_contact_sheet
from scripts.embedded.fresh import fresh_members, fresh_rows
from scripts.embedded.known_prompts import known_prompts, pack_bank, pack_phrases
from scripts.embedded.left_out import left_out_members, write_left_out
from scripts.embedded.public_images import public_scores
from scripts.embedded.recipes import LITES, embedded_recipes
from scripts.embedded.score_tables import margin_table, public_table, source_table
from scripts.embedded.shipping import (
    CARD,
    MANIFEST,
    measured_entry,
    note_in_card,
    note_in_manifest,
    note_weights,
    ship,
)
from scripts.embedded.view_scores import WAYS, score_views
from scripts.embedded.votes import VOTE, left_out_votes, save_vote
from scripts.embedded.words import SHOWN, left_out_blend, said_in_words, some_of, write_texts

PLAIN = "embedded-lite0"
"""The baseline that every other has to beat, shipped once."""
LEFT_OUT = "left_out"
"""Folder of predictions for left-out images, below the run folder."""
KNOWN = "known"
"""Folder of the known prompts, below the run folder."""
PHRASES = "embedded-phrases"

path = click.Path(path_type=Path)
data = click.option("--data", required=True, type=path, help="Listing of pairs.")
prompts = click.option("--open-prompts", required=True, type=path, help="Prompts, one a line.")
known = click.option("--known", multiple=True, type=path, help="Known prompts, one a line.")
competition = click.option("--competition", type=path, help="Folder of the public images.")
out = click.option("--out", required=True, type=path, help="Run folder; keeps features, too.")


@click.group()
def main() -> None:
    """Train or judge the regressors that travel inside the package."""


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
    """Judge, train on all pairs, and put the results into the weights folder."""
    material, home = _gather(data, open_prompts, out), weights or embedded_folder()
    recipes = embedded_recipes(material.roots)
    for name, recipe in recipes.items():
        record = run_feature_head(material, recipe, out / name)
        ship(Path(str(record["regressor"])), name, revision, home)
        click.echo(f"shipped to {home / name}")
    load_manifest.cache_clear()
    scores = {name: read_json(out / name / SCORES) for name in recipes}
    note_in_card(home / CARD, scores, _public_scores(material, competition))
    click.echo(f"tables are in {home / CARD}")


@main.command()
@data
@prompts
@competition
@out
def evaluate(data: Path, open_prompts: Path, competition: Path | None, out: Path) -> None:
    """Print the tables of the model card, measured again."""
    material = _gather(data, open_prompts, out)
    for name, recipe in embedded_recipes(material.roots).items():
        scores = judge_head(material, recipe)
        click.echo(f"{name}\n\n{source_table(scores)}\n{margin_table(scores)}")
    if competition:
        click.echo(public_table(_public_scores(material, competition)))


@main.command()
@data
@prompts
@known
@out
def leave_out(data: Path, open_prompts: Path, known: tuple[Path, ...], out: Path) -> None:
    """Write members' predictions for left-out sources into OUT/left_out, for 'tune'.

    With known prompts their vote is among them, and goes into the weights folder.
    """
    material = _gather(data, open_prompts, out)
    members = left_out_members(material, embedded_recipes(material.roots))
    if known:
        ids = members["clip"].image_ids
        rows = [int(image_id.removeprefix("row")) for image_id in ids]
        prompts = [material.pairs.rows[row].prompt for row in rows]
        encode = SentenceEncoder().encode
        texts = known_prompts(known, prompts, encode, out / KNOWN)
        home = embedded_folder() / VOTE
        bank, true = pack_bank(texts, home), encode(prompts)
        sources = material.pairs.sources[rows]
        members["vote"] = left_out_votes(members, true, sources, texts, bank)
        save_vote(members, true, texts, bank, home)
        note_weights(home, "vote", load_manifest()[VOTE].revision)
    for file in write_left_out(members, material.pairs, out / LEFT_OUT):
        click.echo(file)


@main.command()
@data
@out
@click.option("--known-from", required=True, type=path, help="Run folder of leave-out.")
def fresh(data: Path, out: Path, known_from: Path) -> None:
    """Write what the preset predicts for pairs nothing was trained on into OUT/left_out.

    Files are as leave-out writes them: 'tune', 'words' and 'blend' read both.
    """
    encode, pairs = SentenceEncoder().encode, read_pairs(data, ())
    known = known_prompts((), (), encode, known_from / KNOWN)
    rows = fresh_rows(pairs, known, encode, embedded_folder())
    members = fresh_members(pairs, rows.tolist(), out / "run")
    for file in write_left_out(members, pairs, out / LEFT_OUT):
        click.echo(file)


@main.command("blend")
@out
def blend_left_out(out: Path) -> None:
    """Write OUT/blend.safetensors, the preset's blend of what leave-out wrote."""
    left_out_blend(out / LEFT_OUT).save(out / "blend.safetensors")


@main.command()
@known
@out
def phrases(known: tuple[Path, ...], out: Path) -> None:
    """Pack the vectors of clip-interrogator's phrases that are near to known prompts."""
    encode = SentenceEncoder().encode
    home = embedded_folder() / PHRASES
    count = pack_phrases(known_prompts(known, (), encode, out / KNOWN), encode, home)
    note_weights(home, "phrases", load_manifest()[PHRASES].revision)
    click.echo(f"{count} phrases in {home}")


@main.command("ship")
@click.argument("folder", type=path)
@click.argument("name")
@click.option("--kind", required=True, help="As the manifest calls it: writer, captioner.")
@click.option("--revision", required=True, help="Of the new weights, for the manifest.")
def ship_folder(folder: Path, name: str, kind: str, revision: str) -> None:
    """Copy the files of a trained FOLDER to NAME in the weights folder, with a manifest entry."""
    home = embedded_folder() / name
    for file in sorted(folder.iterdir()):
        write_atomically(home / file.name, file.read_bytes())
    note_weights(home, kind, revision)
    click.echo(f"shipped to {home}")


@main.command()
@data
@out
@click.option("--known-from", type=path, help="Run folder of leave-out, if it is not OUT.")
@click.option("--images", default=1000, show_default=True, help="Images at most, at random.")
def words(data: Path, out: Path, known_from: Path | None, images: int) -> None:
    """Write OUT/words/*.csv, texts for left-out images, and OUT/contact_sheet.html of 24 of them.

    OUT is where leave-out or fresh wrote to.
    """
    encode, roots = SentenceEncoder().encode, WeightRoots.usual()
    pairs = read_pairs(data, ())
    predicted = some_of(left_out_blend(out / LEFT_OUT), images)
    known = known_prompts((), (), encode, (known_from or out) / KNOWN)
    said = said_in_words(predicted, known, encode, roots, bar)
    write_texts(said, out / "words")
    of = {name: pairs.rows[int(name.removeprefix("row"))] for name in predicted.image_ids}
    some = predicted.image_ids[:: max(1, len(of) // 24)][:24]
    write_contact_sheet(
        {name: of[name].image for name in some}, {name: of[name].prompt for name in some}, said,
        (SHOWN, "written"), encode, out / "contact_sheet.html",
    )  # fmt: skip
    click.echo(f"texts in {out / 'words'}, contact sheet {out / 'contact_sheet.html'}")


@main.command()
@data
@prompts
@out
@click.option("--member", default=LITES, show_default=True, help="The member to judge.")
@click.option("--way", "ways", multiple=True, type=click.Choice(list(WAYS)), help="Besides plain.")
def views(data: Path, open_prompts: Path, out: Path, member: str, ways: tuple[str, ...]) -> None:
    """Print what several views of each image are worth on left-out sources."""
    material = _gather(data, open_prompts, out)
    chosen = {name: WAYS[name] for name in WAYS if not ways or name in ("plain", *ways)}
    scores = score_views(material, embedded_recipes(material.roots)[member], chosen)
    click.echo(f"{source_table(scores)}\n{margin_table(scores)}")


@main.command()
@data
@click.option("--weights", type=path, help="Weights folder; the package's if none is given.")
def trained_on(data: Path, weights: Path | None) -> None:
    """Write which prompts each embedded regressor was trained on into its folder, untrained."""
    home, pairs = weights or embedded_folder(), read_pairs(data, ())
    seen = training_prompts(pairs, thinned(pairs, FeatureHeadRecipe().thinning))
    for name in (*embedded_recipes(WeightRoots.usual()), PLAIN):
        seen.save(home / name / TRAINED_ON)
        revision = load_manifest()[name].revision
        note_in_manifest(home / MANIFEST, measured_entry(home / name, name, revision))
        click.echo(f"{seen.prompts} prompts noted in {home / name / TRAINED_ON}")


def _gather(data: Path, open_prompts: Path, cache: Path) -> Material:
    """What every command works on."""
    roots = WeightRoots.usual()
    return gather(
        read_pairs(data, ()), embedded_recipes(roots)[LITES], cache,
        encode=SentenceEncoder().encode, roots=roots, open_prompts=open_prompts, progress=bar,
    )  # fmt: skip


def _public_scores(material: Material, competition: Path | None) -> dict[str, float]:
    """Scores on the public images, if their folder is given."""
    models = [*embedded_recipes(material.roots), PLAIN]
    encode = SentenceEncoder().encode
    return public_scores(competition, models, encode, material.roots) if competition else {}


if __name__ == "__main__":
    try:
        main()
    except PromptEnsembleError as error:
        raise SystemExit(f"error: {error}") from error
