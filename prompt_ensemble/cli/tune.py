"""``tune``: blend weights from a validation set, with a score that is never in-sample."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from prompt_ensemble.cli import options

if TYPE_CHECKING:
    import numpy as np

    from prompt_ensemble.core.embeddings import Embeddings
    from prompt_ensemble.data.splits import Split
    from prompt_ensemble.run.tuned_blend import TunedBlend

_DEFAULT_PRIOR = "embedded-prior"


@click.command("tune")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--truth", required=True, type=click.Path(path_type=Path),
    help="prompts.csv (imgId,prompt) or embeddings of the true prompts.",
)  # fmt: skip
@click.option(
    "--out", default="blend.json", show_default=True, type=click.Path(path_type=Path),
    help="File for 'predict --blend'.",
)  # fmt: skip
@click.option(
    "--preset-out", type=click.Path(path_type=Path), metavar="FILE.toml",
    help="Also write the tuned ensemble as a preset for 'predict --config'; needs run folders.",
)  # fmt: skip
@click.option("--folds", default=5, show_default=True, type=click.IntRange(min=2))
@click.option(
    "--split", "split_file", type=click.Path(path_type=Path),
    help="Split file with the groups [default: prompts connected at cosine 0.7].",
)  # fmt: skip
@click.option("--held-out-fold", type=int, help="Fold of the split that no member was trained on.")
@click.option(
    "--trained-on", multiple=True, type=click.Path(path_type=Path),
    help="Prompts (.txt, .csv, .jsonl) or embeddings that members were trained on; repeatable.",
)  # fmt: skip
@click.option(
    "--prior",
    metavar="NAME|FILE",
    help=f"Mean prompt that a share may go to [default: {_DEFAULT_PRIOR}, if it is there].",
)
@options.weights
@click.option("--seed", default=0, show_default=True, help="Of the folds.")
@options.quiet
@options.as_json
def command(
    runs: tuple[Path, ...],
    truth: Path,
    out: Path,
    preset_out: Path | None,
    folds: int,
    split_file: Path | None,
    held_out_fold: int | None,
    trained_on: tuple[Path, ...],
    prior: str | None,
    weights: tuple[Path, ...],
    seed: int,
    quiet: bool,
    as_json: bool,
) -> None:
    """Tune the blend of RUNS: folders that 'predict --out' filled, or embeddings files."""
    from prompt_ensemble.core.progress import bar, silent
    from prompt_ensemble.data.groups import connected_groups
    from prompt_ensemble.data.splits import Split, k_folds
    from prompt_ensemble.data.truth import read_truth
    from prompt_ensemble.models.sentence_encoder import SentenceEncoder
    from prompt_ensemble.run.leakage import told_by_filters
    from prompt_ensemble.run.saved_predictions import judged_images, load_confidence, load_parts
    from prompt_ensemble.tuning.tune import tune
    from prompt_ensemble.tuning.tuned_ensemble import ensemble_of

    shown = silent if quiet else bar
    # Asked for first, so that what is missing is an error before the work and not after it.
    ensemble = ensemble_of(runs, preset_out.stem, prior) if preset_out else None
    parts = load_parts(runs)
    known = read_truth(truth, SentenceEncoder().encode)
    judged = judged_images(parts, known.embeddings)
    split = Split.load(split_file) if split_file else None
    if split:
        groups = split.take(judged.image_ids).groups
    else:
        groups = connected_groups(judged.vectors, progress=shown)
    tuned = tune(
        parts,
        judged,
        groups,
        k_folds(groups, folds, seed),
        prior=_find_prior(prior, weights),
        signals=load_confidence(runs, judged.image_ids),
        doubts=[
            *told_by_filters(runs, judged.image_ids, known.prompts),
            *_training_doubts(judged, runs, trained_on),
            *_split_doubts(judged, split, held_out_fold),
        ],
        progress=shown,
    )
    tuned.save(out)
    if preset_out and ensemble:
        from prompt_ensemble.run.preset_files import write_preset
        from prompt_ensemble.run.use_blend import use_blend

        write_preset(preset_out, use_blend(ensemble, out))
    click.echo(json.dumps(asdict(tuned)) if as_json else summary(tuned, out))


def _find_prior(prior: str | None, roots: tuple[Path, ...]) -> Embeddings | None:
    """The prior asked for; the embedded one if none is and it is there."""
    from prompt_ensemble.core.errors import MissingWeights
    from prompt_ensemble.models.weights import WeightRoots
    from prompt_ensemble.run.prior import load_prior

    try:
        return load_prior(prior or _DEFAULT_PRIOR, WeightRoots.usual(roots))
    except MissingWeights:
        if prior:
            raise
        return None


def _training_doubts(
    truth: Embeddings, runs: tuple[Path, ...], files: tuple[Path, ...]
) -> list[str]:
    """Sentences about prompts that members were trained on.

    Members are known to have learnt from a file by its digest, which their runs have recorded.
    """
    from prompt_ensemble.core.files import file_digest
    from prompt_ensemble.run.leakage import doubt, near_training, training_digests, unchecked

    digests = training_digests(runs)
    given = {file_digest(path): path for path in files}
    found = []
    for digest, path in given.items():
        learners = [name for name, seen in digests.items() if seen == digest]
        what = f"{path} (which taught {', '.join(learners)})" if learners else str(path)
        found.append(doubt(what, near_training(truth, _training_vectors(path)), len(truth)))
    return [*found, *unchecked(digests, given)]


def _training_vectors(path: Path) -> np.ndarray:
    """Embeddings of the prompts in a file."""
    from prompt_ensemble.core.embeddings import Embeddings
    from prompt_ensemble.data.prompt_files import read_prompts
    from prompt_ensemble.models.sentence_encoder import SentenceEncoder

    if path.suffix == ".safetensors":
        return Embeddings.load(path).vectors
    return SentenceEncoder().encode(read_prompts([path]))


def _split_doubts(truth: Embeddings, split: Split | None, fold: int | None) -> list[str]:
    """Sentences about images that members were not held out of."""
    from prompt_ensemble.run.leakage import doubt, trained_on

    if split is None or fold is None:
        return []
    what = f"the training folds of split {split.digest[:12]}"
    return [doubt(what, trained_on(truth, split, fold), len(truth))]


def summary(tuned: TunedBlend, out: Path) -> str:
    """Weights, scores and decisions for people."""
    rows = [("member", "weight", "alone", "loss without it")]
    for name, weight in tuned.weights.items():
        member = tuned.members[name]
        rows.append((name, f"{weight:.4f}", f"{member.alone.mean:.4f}", str(member.loss_without)))
    if tuned.prior_weight:
        rows.append(("(prior)", f"{tuned.prior_weight:.4f}", "", ""))
    tried = [("method, held out", "", "", "")]
    tried += [(name, "", str(one.held_out), "") for name, one in tuned.methods.items()]
    width = max(len(row[0]) for row in (*rows, *tried)) + 2
    table = [f"{row[0]:<{width}}{row[1]:<9}{row[2]:<9}{row[3]}".rstrip() for row in rows]
    scores = [f"{row[0]:<{width}}{row[2]}".rstrip() for row in tried]
    valid = tuned.validation
    leaks = [reason for reason in tuned.reasons if reason.startswith("LEAK")]
    return "\n".join(
        [
            *leaks,
            *([""] if leaks else []),
            *table,
            "",
            *scores,
            "",
            *(reason for reason in tuned.reasons if reason not in leaks),
            f"{tuned.chosen}: {tuned.held_out}, {valid.groups} groups in {valid.folds} folds",
            f"written to {out}; use it with 'prompt-ensemble predict --blend {out}'",
        ]
    )
