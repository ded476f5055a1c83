"""The straight line: images → members, one after another on the device → store → blend."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from prompt_ensemble.core.blend import PRIOR, blend
from prompt_ensemble.core.embeddings import Embeddings, Encode
from prompt_ensemble.core.errors import BadConfig, BadWeights, UnreadableImage
from prompt_ensemble.core.files import require_writable
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.images.find import find_images
from prompt_ensemble.images.survey import Album, survey
from prompt_ensemble.models.device import Placement, choose_placements
from prompt_ensemble.models.sentence_encoder import SentenceEncoder
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run.config import RunConfig, load_config, load_preset
from prompt_ensemble.run.deadline import Deadline, parse_duration, run_until, without
from prompt_ensemble.run.ensemble import Member, open_ensemble, useful
from prompt_ensemble.run.member_run import MemberResult, MemberRun, Run, result_of
from prompt_ensemble.run.results import write_results
from prompt_ensemble.run.store import Store

STORE_FOLDER = "store"
PRIOR_FILE = "prior.safetensors"


@dataclass(frozen=True, eq=False)
class Prediction:
    """The outcome of a run; ``embeddings`` has a row for every image, readable or not."""

    embeddings: Embeddings
    members: Mapping[str, MemberResult]
    album: Album
    config: RunConfig
    placement: Placement
    seconds: float
    skipped: Mapping[str, str] = field(default_factory=dict)
    """Members that a deadline left out, and why."""
    trained_on: Mapping[str, Path] = field(default_factory=dict)
    """Members that say what they were trained on, and the files that do."""


def predict(
    images: Sequence[Path | str] | Path | str,
    out: Path | str,
    *,
    config: RunConfig | str | Path = "embedded",
    weights: Sequence[Path | str] | Path | str = (),
    device: str = "auto",
    precision: str = "auto",
    on_bad_image: str = "fail",
    workers: int | None = None,
    deadline: str | float | None = None,
    sample: Path | str | None = None,
    meanwhile: Callable[[Embeddings], object] | None = None,
    progress: Progress = silent,
) -> Prediction:
    """Run an ensemble over images and write ``out/submission.csv`` and all that stands beside it.

    ``out/store`` keeps what is finished, so a rerun continues. ``sample``, a
    sample_submission.csv, tells the order of the submission.

    ``config`` is a preset's name, a TOML file or a ``RunConfig``. With ``on_bad_image="prior"``
    images that cannot be read get the preset's prior instead of stopping the run. ``device`` may
    name several, with commas between them.

    With a ``deadline`` (``"8h30m"`` or seconds, from now) members that cannot end in time are left
    out, and ``meanwhile`` is given what there is: first the prior for every image, then the blend
    after each member.
    """
    started = time.monotonic()
    config = resolve_config(config)
    placements = choose_placements(device, precision)
    run = Run(
        placements[0],
        Store(Path(out) / STORE_FOLDER),
        WeightRoots.usual(weights),
        workers,
        progress,
        spread=placements if len(placements) > 1 else (),
    )
    config, members = open_ensemble(config, run.roots)
    members = useful(members, config)
    config = replace(config, members=tuple(m.config for m in members))
    fill = on_bad_image == "prior"
    needs_prior = fill or config.prior_weight or deadline is not None
    # Whatever is wrong is told before the first model, a prior that is not needed included.
    named = prior_of(config, run.roots) if needs_prior or config.prior else None
    prior = named if needs_prior else None
    for member in members:
        member.predictor.check()
    require_writable(Path(out))
    sources = [images] if isinstance(images, str | Path) else images
    album = survey(find_images(sources), workers=workers, progress=progress)
    check_album(album, prior if fill else None)
    encode = SentenceEncoder(placement=run.placement).encode
    results: Mapping[str, MemberResult] = {}
    skipped: Mapping[str, str] = {}
    if deadline is None:
        results = run_members(members, album, run, encode)
    else:
        seconds = parse_duration(deadline) if isinstance(deadline, str) else deadline
        ends = Deadline(started + seconds).before_writing(len(album.image_ids))
        tell = meanwhile or (lambda embeddings: None)
        tell(assemble({}, config, prior, album))
        for paced in run_until(ends, members, album, run, encode):
            results, skipped = paced.results, paced.skipped
            tell(assemble(results, without(config, list(results)), prior, album))
        config = without(config, list(results))
    whole = assemble(results, config, prior, album)
    seconds = time.monotonic() - started
    told = {member.name: member.predictor.trained_on() for member in members}
    trained_on = {name: path for name, path in told.items() if path and name in results}
    prediction = Prediction(
        whole, results, album, config, run.placement, seconds, skipped, trained_on
    )
    write_results(prediction, Path(out), Path(sample) if sample else None)
    return prediction


def resolve_config(config: RunConfig | str | Path) -> RunConfig:
    """A configuration from whatever names it."""
    if isinstance(config, RunConfig):
        return config
    if isinstance(config, Path) or config.endswith(".toml"):
        return load_config(Path(config))
    return load_preset(config)


def prior_of(config: RunConfig, roots: WeightRoots) -> Embeddings:
    """The configuration's prior, which must have one."""
    if not config.prior:
        raise BadConfig(
            f"{config.name!r} names no prior, so unreadable images cannot be filled in, nor can a "
            "blend hold a share of it; add prior = 'embedded-prior' to it, or use "
            "--on-bad-image fail and prior_weight 0"
        )
    return load_prior(config.prior, roots)


def load_prior(name: str, roots: WeightRoots) -> Embeddings:
    """The one embedding that stands for any prompt."""
    found = roots.find(name).path
    file = found / PRIOR_FILE if found.is_dir() else found
    if not file.is_file():
        raise BadWeights(
            f"prior {name!r} lies at {found}, which holds no {PRIOR_FILE}; name a folder that "
            "does, such as 'embedded-prior', or an embeddings file"
        )
    return Embeddings.load(file)


def check_album(album: Album, prior: Embeddings | None) -> None:
    """Stop before anything expensive if images are bad and nothing may stand in for them."""
    if album.bad and prior is None:
        reasons = "\n".join(image.reason for image in album.bad)
        raise UnreadableImage(
            f"{reasons}\n{len(album.bad)} of {len(album.image_ids)} images cannot be read; mend or "
            "remove them, or fill their rows with --on-bad-image prior"
        )
    if not album.good:
        raise UnreadableImage(f"none of the {len(album.bad)} images can be read; nothing to do")


def run_members(
    members: Sequence[Member], album: Album, run: Run, encode: Encode
) -> dict[str, MemberResult]:
    """Every member over the readable images, one on the device at a time."""
    results: dict[str, MemberResult] = {}
    for member in members:
        beside = {need: results[need] for need in member.predictor.needs()}
        member_run = MemberRun(member, album, run, beside)
        member_run.fill()
        results[member.name] = result_of(member_run, encode)
    return results


def blend_members(
    results: Mapping[str, MemberResult], config: RunConfig, prior: Embeddings | None
) -> Embeddings:
    """The members' embeddings as one, by fixed weights or by a gate."""
    if config.gate:
        from prompt_ensemble.run.use_blend import gated_blend

        parts = {name: result.embeddings for name, result in results.items()}
        outputs = {name: result.outputs for name, result in results.items()}
        return gated_blend(parts, outputs, config.gate, prior)
    weights = dict(config.blend_weights)
    parts = {name: results[name].embeddings for name in weights}
    if prior and config.prior_weight:
        ids = next(iter(parts.values())).image_ids
        weights[PRIOR] = config.prior_weight
        parts[PRIOR] = Embeddings(ids, np.repeat(prior.vectors[:1], len(ids), axis=0))
    return blend(parts, weights)


def assemble(
    results: Mapping[str, MemberResult], config: RunConfig, prior: Embeddings | None, album: Album
) -> Embeddings:
    """A row for every image: the blend of what there is, the prior where there is nothing."""
    if not results:
        return repeated(prior, album.image_ids)
    blended = blend_members(results, config, prior)
    if not album.bad:
        return blended
    filler = repeated(prior, [image.image_id for image in album.bad])
    ids = (*blended.image_ids, *filler.image_ids)
    rows = np.concatenate([blended.vectors, filler.vectors])
    return Embeddings(ids, rows).take(album.image_ids)


def repeated(prior: Embeddings | None, image_ids: Sequence[str]) -> Embeddings:
    """The prior for each of these images."""
    assert prior is not None, "a run that may need the prior has loaded it"
    return Embeddings(tuple(image_ids), np.repeat(prior.vectors[:1], len(image_ids), axis=0))
