"""An ensemble that answers many calls: ``with load_ensemble("embedded") as ensemble: ...``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import RLock
from types import TracebackType
from typing import Any

from prompt_ensemble.core.embeddings import Embeddings
from prompt_ensemble.core.errors import BadConfig, nearest_name
from prompt_ensemble.core.files import require_writable
from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.images.survey import Album, Sources, survey
from prompt_ensemble.members.captioners.caption_predictor import CaptionPredictor
from prompt_ensemble.models.device import Placement, choose_placements, whole_memory
from prompt_ensemble.models.sentence_encoder import SentenceEncoder
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run.blend_outputs import AGAINST_BLEND, BLEND, blend_outputs
from prompt_ensemble.run.blend_weights import BlendWeights
from prompt_ensemble.run.captioner_members import caption_predictor, find_captioner_member
from prompt_ensemble.run.config import MemberConfig, RunConfig, resolve_config
from prompt_ensemble.run.deadline import Deadline, parse_duration
from prompt_ensemble.run.executors.in_process import Executor, InProcess
from prompt_ensemble.run.executors.worker_processes import WorkerProcesses
from prompt_ensemble.run.member_run import MemberOutputs, MemberRun, Run
from prompt_ensemble.run.members import Member, make_member, open_ensemble, without_idle
from prompt_ensemble.run.pipeline import (
    Results,
    assemble,
    blend_members,
    check_album,
    leave_out_unreadable,
    require_readable,
    run_members,
    run_members_until,
)
from prompt_ensemble.run.prediction import Prediction
from prompt_ensemble.run.prior import prior_of
from prompt_ensemble.run.results import write_results
from prompt_ensemble.run.spoken_lines import lines_of_kind
from prompt_ensemble.run.store import MemoryStore, OutputStore, Store
from prompt_ensemble.run.warm_models import WarmModels
from prompt_ensemble.words.answer import Speaker

STORE_FOLDER = "store"
_WARM_SHARE = 0.6
"""Of the device's memory, for models that stay on it between calls."""


def predict(
    images: Sources,
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
    sidecars: bool = False,
    words: bool = True,
    meanwhile: Callable[[Embeddings], object] | None = None,
    progress: Progress = silent,
) -> Prediction:
    """Run an ensemble over images once, and write ``out/submission.csv`` and what explains it.

    The arguments are those of ``load_ensemble`` and ``Ensemble.predict``; no model stays in
    memory after its member has run.
    """
    started = time.monotonic()
    with load_ensemble(
        config, weights=weights, device=device, precision=precision, workers=workers,
        progress=progress, memory_budget=0,
    ) as ensemble:  # fmt: skip
        return ensemble.predict(
            images, out, on_bad_image=on_bad_image, deadline=deadline, sample=sample,
            sidecars=sidecars, words=words, meanwhile=meanwhile, started=started,
        )  # fmt: skip


def load_ensemble(
    config: RunConfig | str | Path = "embedded",
    *,
    weights: Sequence[Path | str] | Path | str = (),
    device: str = "auto",
    precision: str = "auto",
    workers: int | None = None,
    progress: Progress = silent,
    memory_budget: int | None = None,
) -> Ensemble:
    """An ensemble whose weights are found and checked; models are opened when first needed.

    ``config`` is a preset's name, a TOML file or a ``RunConfig``, ``weights`` folders that are
    searched first. ``device`` may name several, with commas between them. Models stay on the
    device within ``memory_budget`` bytes, the least recently used giving way to others; by
    default that is most of the device's memory.
    """
    roots = WeightRoots.usual(weights)
    placements = choose_placements(device, precision)
    settled, members = open_ensemble(resolve_config(config), roots)
    return Ensemble(
        settled, without_idle(members, settled), placements, roots, workers, progress,
        memory_budget,
    )  # fmt: skip


class Ensemble:
    """Configured members, their models kept warm; safe to call from several threads.

    Calls decode their images side by side; the models themselves serve one call at a time.
    """

    def __init__(
        self,
        config: RunConfig,
        members: Sequence[Member],
        placements: Sequence[Placement],
        roots: WeightRoots,
        workers: int | None = None,
        progress: Progress = silent,
        memory_budget: int | None = None,
    ) -> None:
        self.config = config
        self.members = tuple(members)
        self.placement = placements[0]
        self.roots = roots
        self._workers = workers
        self._progress = progress
        if memory_budget is None:
            memory_budget = int(_WARM_SHARE * whole_memory(self.placement))
        self._warm = WarmModels(self.placement, memory_budget, progress)
        self._one_device = InProcess(self.placement, self._warm)
        self._executor: Executor = (
            WorkerProcesses(placements) if len(placements) > 1 else self._one_device
        )
        self._encoder = SentenceEncoder(placement=self.placement)
        self._speaker = Speaker(config.words, roots, self.placement) if config.words else None
        self._lock = RLock()
        self._checked: set[str] = set()

    def __enter__(self) -> Ensemble:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.close()

    def close(self) -> None:
        """Give the models' memory back; the next call opens what it needs again."""
        with self._lock:
            self._warm.close()

    def predict(
        self,
        images: Sources,
        out: Path | str | None = None,
        *,
        on_bad_image: str = "fail",
        deadline: str | float | None = None,
        sample: Path | str | None = None,
        sidecars: bool = False,
        words: bool = True,
        meanwhile: Callable[[Embeddings], object] | None = None,
        started: float | None = None,
    ) -> Prediction:
        """An embedding for every image: folders, files, Pillow images, arrays or bytes.

        With ``out`` everything is written there, ``submission.csv`` last and in the order of
        ``sample``, and ``out/store`` keeps what is finished, so that the same call continues a
        stopped one; ``sidecars`` adds a text file with the prompt of each image. Without ``words``
        there are no prompts, which take a third of the time of the embedded preset. With
        ``on_bad_image="prior"`` images that cannot be read get the preset's prior instead of
        stopping the run.

        With a ``deadline`` (``"8h30m"`` or seconds, from ``started`` or now) members that cannot
        end in time are left out, and ``meanwhile`` is given what there is: first the prior for
        every image, then the blend after each member.
        """
        started = time.monotonic() if started is None else started
        prior, filler = self._prior(on_bad_image == "prior", deadline is not None)
        self._check(self.members)
        if self._speaker and words:
            self._speaker.check()
        if out is not None:
            require_writable(Path(out))
        album = self.survey(images)
        check_album(album, filler)
        with self.run(Path(out) / STORE_FOLDER if out else None) as run:
            weights = BlendWeights.of(self.config)
            names = [member.name for member in self.members]

            def blended(results: Results) -> Embeddings:
                return assemble(results, weights.of_finished(results, names), prior, album)

            ends: Deadline | None = None
            if deadline is None:
                results: Results = run_members(self.members, album, run, self.encode)
                skipped: Mapping[str, str] = {}
            else:
                seconds = parse_duration(deadline) if isinstance(deadline, str) else deadline
                ends = Deadline(started + seconds).before_writing(len(album.image_ids))
                tell = meanwhile or (lambda embeddings: None)
                results, skipped = run_members_until(
                    ends, self.members, album, run, self.encode,
                    lambda results: tell(blended(results)),
                )  # fmt: skip
            final = blended(results)
            said = self._say(final, results, album, ends) if words else None
        trained_on = {m.name: m.predictor.trained_on() for m in self.members if m.name in results}
        prediction = Prediction(
            final, results, album, self.config, weights.of_finished(results, names),
            self.placement, time.monotonic() - started, skipped,
            {name: path for name, path in trained_on.items() if path}, said,
        )  # fmt: skip
        if out is not None:
            order = Path(sample) if sample else None
            write_results(prediction, Path(out), order, sidecars=sidecars)
        return prediction

    def embed(self, images: Sources) -> Embeddings:
        """The ensemble's embedding of each image's prompt."""
        return self.predict(images, words=False).embeddings

    def encode(self, texts: Sequence[str]) -> Any:
        """Texts to ``(N, 384)`` unit rows, by the sentence encoder that prompts are judged with."""
        with self._lock:
            return self._encoder.encode(list(texts))

    def caption(self, images: Sources, model: str = "", **options: object) -> dict[str, str]:
        """What a captioner says of each image, by image id.

        ``model`` is a member, a kind of captioner, or a model's folder; without it the ensemble's
        first captioner speaks. An image that cannot be read is left out, with a warning.
        """
        member = self._captioner(model, options)
        album = self.survey(images)
        leave_out_unreadable(album)
        outputs = self.member_outputs(member, album).outputs
        best: dict[str, str] = {}
        for image_id, caption in caption_predictor(member).captions(outputs):
            best.setdefault(image_id, caption)
        return best

    def interrogate(
        self, images: Sources, mode: str = "fast", model: str = "", **options: object
    ) -> dict[str, str]:
        """A prompt for each image, made of phrases near to it, by image id.

        ``mode`` and ``options`` are those of the command ``interrogate``; ``model`` is the weights
        of a two-sided tower. Without one, an ensemble that answers in words starts from its own
        prompt and adds what brings it nearer to its own blend. An image that cannot be read is left
        out, with a warning.
        """
        settings = {"mode": mode, **options}
        captions_from = options.get("captions_from")
        if self._speaker is not None and not (model or captions_from):
            settings |= AGAINST_BLEND
        member = make_member(
            MemberConfig("interrogator", "interrogator", model, options=settings), self.roots
        )
        album = self.survey(images)
        leave_out_unreadable(album)
        needed = None
        if isinstance(captions_from, str) and captions_from:
            speaker = self._captioner(captions_from, {})
            needed = {captions_from: self.member_outputs(speaker, album)}
        outputs = self.member_outputs(member, album, needed).outputs
        return {
            image_id: next(line.text for line in lines if line.kind == "prompt")
            for image_id, lines in zip(outputs.image_ids, outputs.lines, strict=True)
        }

    def survey(self, images: Sources) -> Album:
        """The images decoded, good and bad ones apart."""
        return survey(images, workers=self._workers, progress=self._progress)

    def outputs(
        self,
        member: Member,
        album: Album,
        needed: Mapping[str, MemberOutputs] | None = None,
        store: Path | None = None,
        batches_per_shard: int | None = None,
    ) -> Iterator[Outputs]:
        """Outputs of any member over an album, shard by shard as they are made.

        What it needs of the ensemble's members, and is not given, is made first.
        """
        needed = self._needed(member, album) if needed is None else needed
        self._check([member])
        with self.run(store) as run:
            yield from MemberRun(member, album, run, needed, batches_per_shard).outputs()

    def member_outputs(
        self, member: Member, album: Album, needed: Mapping[str, MemberOutputs] | None = None
    ) -> MemberOutputs:
        """All outputs of a member, for others that need them; the same holds for what it needs."""
        needed = self._needed(member, album) if needed is None else needed
        self._check([member])
        with self.run() as run:
            member_run = MemberRun(member, album, run, needed)
            member_run.finish()
            return member_run.gathered()

    def _needed(self, member: Member, album: Album) -> dict[str, MemberOutputs]:
        """Outputs of the members that this one needs."""
        members = {member.name: member for member in self.members}
        needs = member.predictor.needs()
        for name in needs:
            if name not in members and name != BLEND:
                raise BadConfig(
                    f"{member.name!r} needs the outputs of {name!r}, which is no member of "
                    f"{self.config.name!r}; {nearest_name(name, list(members) or ['none'])}"
                )
        return {
            name: self.answer(album) if name == BLEND else self.member_outputs(members[name], album)
            for name in needs
        }

    def answer(self, album: Album) -> MemberOutputs:
        """The blend of the readable images and its words, as if one member had made them."""
        require_readable(album)
        self._check(self.members)
        weights, (prior, _) = BlendWeights.of(self.config), self._prior(False, False)
        with self.run() as run:
            results = run_members(self.members, album, run, self.encode)
            blended = blend_members(results, weights, prior)
            return blend_outputs(
                blended, self._say(blended, results, album, None), results, weights
            )

    @contextmanager
    def run(self, store: Path | None = None) -> Iterator[Run]:
        """What a member is run with, for as long as no other call runs one.

        Outputs are kept in the folder ``store`` if one is named, or else as long as the run lasts.
        """
        with self._lock, self._stored(store) as run:
            yield run

    @contextmanager
    def _stored(self, store: Path | None) -> Iterator[Run]:
        """A run with its store, on the disk where one is named or where workers share it."""
        if store is None and self._executor is self._one_device:
            yield self._run_with(MemoryStore())
        elif store is None:
            with TemporaryDirectory() as folder:
                yield self._run_with(Store(Path(folder)))
        else:
            yield self._run_with(Store(store))

    def _run_with(self, store: OutputStore) -> Run:
        return Run(self.placement, store, self._workers, self._progress, self._executor)

    def _say(
        self, blend: Embeddings, results: Results, album: Album, ends: Deadline | None
    ) -> Outputs | None:
        """The blend of the readable images in words, if the configuration asks for them."""
        if self._speaker is None:
            return None
        readable = blend.take([image.image_id for image in album.good])
        spoken = [result.outputs for result in results.values()]
        with self._progress("prompts in words", len(readable.image_ids)) as advance:
            words = self._speaker.say(
                readable,
                lines_of_kind("caption", spoken),
                lines_of_kind("neighbour", spoken),
                self.encode,
                advance=advance,
                late=lambda: ends is not None and ends.left() <= 0,
            )
        return words

    def _prior(self, fill: bool, timed: bool) -> tuple[Embeddings | None, Embeddings | None]:
        """The prior if this run may need it, and what unreadable images are filled with.

        Whatever is wrong is an error before the first model, so a prior that the configuration
        names is loaded even if this run will not need it.
        """
        needed = fill or self.config.prior_weight or timed
        prior = prior_of(self.config, self.roots) if needed or self.config.prior else None
        return prior if needed else None, prior if fill else None

    def _check(self, members: Sequence[Member]) -> None:
        """Files of members that have not been checked yet."""
        for member in members:
            key = f"{member.config}"
            if key not in self._checked:
                member.predictor.check()
                self._checked.add(key)

    def _captioner(self, model: str, options: Mapping[str, object]) -> Member:
        """The captioner that is asked for."""
        speaking = {
            member.name: member
            for member in self.members
            if isinstance(member.predictor, CaptionPredictor)
        }
        if model in speaking and not options:
            return speaking[model]
        if model:
            return find_captioner_member(model, options, self.roots)
        if not speaking:
            raise BadConfig(
                f"{self.config.name!r} has no captioner; name one, such as model='blip' or the "
                "folder of a captioner"
            )
        return next(iter(speaking.values()))
