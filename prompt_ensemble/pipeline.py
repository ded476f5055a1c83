"""The straight line: images → members, one after another on the device → store → blend."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from prompt_ensemble.blending import PRIOR, blend
from prompt_ensemble.config import MemberConfig, RunConfig, from_table, load_config, load_preset
from prompt_ensemble.device import (
    Placement,
    choose_placement,
    forget_peak_memory,
    peak_memory,
    release,
)
from prompt_ensemble.embeddings import Embeddings
from prompt_ensemble.errors import BadConfig, UnreadableImage, nearest_name
from prompt_ensemble.findings import Findings, join
from prompt_ensemble.images import find_images
from prompt_ensemble.inference import look_at
from prompt_ensemble.predictors import Predictor
from prompt_ensemble.progress import Advance, Progress, silent
from prompt_ensemble.registry import predictor_class
from prompt_ensemble.sentence_encoder import SentenceEncoder
from prompt_ensemble.store import Shard, Store, cut_into_shards
from prompt_ensemble.survey import Album, survey
from prompt_ensemble.weights import WeightRoots

STORE_FOLDER = "store"


@dataclass(frozen=True)
class Member:
    """A configured member, its weights found but not loaded."""

    config: MemberConfig
    predictor: Predictor

    @property
    def name(self) -> str:
        """The name under which the configuration and the store know it."""
        return self.config.name


@dataclass(frozen=True, eq=False)
class MemberResult:
    """What one member made of all readable images."""

    findings: Findings
    embeddings: Embeddings
    seconds: np.ndarray
    """Per image, ``(N,)``; an even share of the shard it was looked at in."""
    identity: Mapping[str, object]
    peak_memory: int
    """Bytes held at most while it looked, on the GPU or else by the process; 0 where unknown."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """The outcome of a run; ``embeddings`` has a row for every image, readable or not."""

    embeddings: Embeddings
    members: Mapping[str, MemberResult]
    album: Album
    config: RunConfig
    placement: Placement
    seconds: float


@dataclass(frozen=True)
class Run:
    """Where and how members are run; what all stages of one run share."""

    placement: Placement
    store: Store
    roots: WeightRoots
    workers: int | None = None
    progress: Progress = field(default=silent)


def predict(
    images: Sequence[Path | str] | Path | str,
    out: Path | str,
    *,
    config: RunConfig | str | Path = "embedded",
    weights: Sequence[Path] = (),
    device: str = "auto",
    precision: str = "auto",
    on_bad_image: str = "fail",
    workers: int | None = None,
    progress: Progress = silent,
) -> Prediction:
    """Run an ensemble over images; ``out/store`` keeps what is finished, so a rerun continues.

    ``config`` is a preset's name, a TOML file or a ``RunConfig``. With ``on_bad_image="prior"``
    images that cannot be read get the preset's prior instead of stopping the run.
    """
    started = time.monotonic()
    config = resolve_config(config)
    run = Run(
        choose_placement(device, precision),
        Store(Path(out) / STORE_FOLDER),
        WeightRoots.usual(weights),
        workers,
        progress,
    )
    members = useful(open_members(config, run.roots), config)
    config = replace(config, members=tuple(m.config for m in members))
    fill = on_bad_image == "prior"
    prior = prior_of(config, run.roots) if fill or config.prior_weight else None
    filler = prior if fill else None
    sources = [images] if isinstance(images, str | Path) else images
    album = survey(find_images(sources), workers=workers, progress=progress)
    check_album(album, filler)
    encoder = SentenceEncoder(placement=run.placement)
    results = run_members(members, album, run, encoder)
    whole = fill_with_prior(blend_members(results, config, prior), album, filler)
    seconds = time.monotonic() - started
    return Prediction(whole, results, album, config, run.placement, seconds)


def resolve_config(config: RunConfig | str | Path) -> RunConfig:
    """A configuration from whatever names it."""
    if isinstance(config, RunConfig):
        return config
    if isinstance(config, Path) or config.endswith(".toml"):
        return load_config(Path(config))
    return load_preset(config)


def open_members(config: RunConfig, roots: WeightRoots) -> list[Member]:
    """Every member with its weights found, those that others need before those that need them."""
    members = [Member(member, make_predictor(member, roots)) for member in config.members]
    by_name = {member.name: member for member in members}
    for member in members:
        for need in member.predictor.needs():
            if need not in by_name:
                raise BadConfig(
                    f"member {member.name!r} needs the findings of {need!r}, which is no member; "
                    f"{nearest_name(need, list(by_name))}"
                )
    return sorted_by_need(by_name)


def sorted_by_need(by_name: Mapping[str, Member]) -> list[Member]:
    """The members in their order, except that needed ones come first."""
    from graphlib import CycleError, TopologicalSorter

    graph = {name: member.predictor.needs() for name, member in by_name.items()}
    try:
        return [by_name[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        raise BadConfig(f"members need each other in a circle: {error.args[1]}") from error


def useful(members: Sequence[Member], config: RunConfig) -> list[Member]:
    """The members without those that have no weight, are needed by none, and feed no gate."""
    if config.gate:
        return list(members)
    wanted = set(config.blend_weights)
    for member in reversed(members):
        if member.name in wanted:
            wanted.update(member.predictor.needs())
    return [member for member in members if member.name in wanted]


def make_predictor(member: MemberConfig, roots: WeightRoots) -> Predictor:
    """A member's predictor, its options checked and its weights found."""
    kind = predictor_class(member.model)
    options = from_table(kind.Options, member.options, f"options of member {member.name!r}")
    return kind(member.weights, options, roots)


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
    return Embeddings.load(found / "prior.safetensors" if found.is_dir() else found)


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
    members: Sequence[Member], album: Album, run: Run, encoder: SentenceEncoder
) -> dict[str, MemberResult]:
    """Every member over the readable images, one on the device at a time."""
    results: dict[str, MemberResult] = {}
    for member in members:
        beside = {need: results[need] for need in member.predictor.needs()}
        findings, seconds, identity = observe(member, album, run, beside)
        embeddings = member.predictor.embed(findings, encoder.encode)
        memory = run.store.memory(member.name)
        results[member.name] = MemberResult(findings, embeddings, seconds, identity, memory)
    return results


def blend_members(
    results: Mapping[str, MemberResult], config: RunConfig, prior: Embeddings | None
) -> Embeddings:
    """The members' embeddings as one, by fixed weights or by a gate."""
    if config.gate:
        from prompt_ensemble.tuning.use import gated_blend

        parts = {name: result.embeddings for name, result in results.items()}
        findings = {name: result.findings for name, result in results.items()}
        return gated_blend(parts, findings, config.gate, prior)
    weights = dict(config.blend_weights)
    parts = {name: results[name].embeddings for name in weights}
    if prior and config.prior_weight:
        ids = next(iter(parts.values())).image_ids
        weights[PRIOR] = config.prior_weight
        parts[PRIOR] = Embeddings(ids, np.repeat(prior.vectors[:1], len(ids), axis=0))
    return blend(parts, weights)


def observe(
    member: Member, album: Album, run: Run, beside: Mapping[str, MemberResult]
) -> tuple[Findings, np.ndarray, Mapping[str, object]]:
    """Findings of one member from the store, made first where they are missing."""
    identity = full_identity(member, run.placement, beside)
    shards = cut_into_shards(album.good, identity, member.config.batch_size)
    stored = {shard.key: run.store.load(member.name, shard) for shard in shards}
    missing = [shard for shard in shards if stored[shard.key] is None]
    if missing:
        with run.progress(member.name, len(album.good)) as advance:
            advance(len(album.good) - sum(len(shard.images) for shard in missing))
            for shard, findings in make(member, missing, run, beside, advance):
                stored[shard.key] = findings
        release(run.placement)
    seconds = [share_of_seconds(run.store, member.name, shard) for shard in shards]
    whole = join([findings for findings in stored.values() if findings is not None])
    return whole, np.concatenate(seconds), identity


def full_identity(
    member: Member, placement: Placement, beside: Mapping[str, MemberResult]
) -> dict[str, object]:
    """All that determines a member's findings besides the images: also what it was run with."""
    return {
        "kind": member.config.model,
        "predictor": dict(member.predictor.identity()),
        "beside": {name: dict(result.identity) for name, result in beside.items()},
        "batch_size": member.config.batch_size,
        "placement": str(replace(placement, device=torch.device(placement.device.type))),
    }


def make(
    member: Member,
    missing: Sequence[Shard],
    run: Run,
    beside: Mapping[str, MemberResult],
    advance: Advance,
) -> Iterator[tuple[Shard, Findings]]:
    """Load the model and fill the missing shards, each stored as soon as it is complete."""
    others = {name: result.findings for name, result in beside.items()}
    forget_peak_memory(run.placement)
    looker = member.predictor.open(run.placement, others)
    images = [image for shard in missing for image in shard.images]
    batches = look_at(looker, images, run.placement, member.config.batch_size, run.workers)
    for shard in missing:
        started = time.monotonic()
        parts: list[Findings] = []
        while sum(map(len, parts)) < len(shard.images):
            parts.append(next(batches))
            advance(len(parts[-1]))
        findings = join(parts)
        run.store.save(member.name, shard, findings, time.monotonic() - started)
        yield shard, findings
    run.store.note_memory(member.name, peak_memory(run.placement))


def share_of_seconds(store: Store, member: str, shard: Shard) -> np.ndarray:
    """Seconds of each image of a shard, all alike."""
    count = len(shard.images)
    return np.full(count, store.seconds(member, shard) / count)


def fill_with_prior(blended: Embeddings, album: Album, prior: Embeddings | None) -> Embeddings:
    """A row for every image: unreadable ones get the prior."""
    if not album.bad or prior is None:
        return blended
    filler = np.repeat(prior.vectors[:1], len(album.bad), axis=0)
    ids = (*blended.image_ids, *(image.image_id for image in album.bad))
    return Embeddings(ids, np.concatenate([blended.vectors, filler])).take(album.image_ids)
