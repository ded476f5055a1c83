"""The captions of every run: said now on the product's one road, or read from a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prompt_ensemble.core.errors import MismatchedIds
from prompt_ensemble.data.texts import load_texts
from prompt_ensemble.images.survey import Album
from prompt_ensemble.members.captioners.layouts import find_captioner
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run.captioner_members import caption_predictor
from prompt_ensemble.run.config import MemberConfig
from prompt_ensemble.run.ensemble import Ensemble
from prompt_ensemble.run.member_run import MemberRun
from prompt_ensemble.run.members import Member, make_member
from prompt_ensemble.study.contenders import Contender, Run
from prompt_ensemble.study.parameters import count_parameters

SAME_FOR_ALL: Mapping[str, object] = {
    "num_beams": 3, "max_new_tokens": 20, "min_new_tokens": 0, "no_repeat_ngram_size": 0,
    "repetition_penalty": 1.0, "length_penalty": 1.0, "early_stopping": False,
}  # fmt: skip
"""How captions are generated unless the user says otherwise. Captioners are published with settings
of their own, such as a shortest length, which would be compared along with them."""


@dataclass(frozen=True)
class Captions:
    """What one run says."""

    run: Run
    texts: tuple[str, ...]
    """In the order of the images."""
    seconds: float | None = None
    """Per image, where it was said here."""
    parameters: int | None = None
    """Numbers that the network learnt, where they can be counted."""


def members_of(
    contenders: Sequence[Contender],
    roots: WeightRoots,
    settings: Mapping[str, object],
    batch_size: int,
) -> dict[str, Member]:
    """Run name → the captioner as a member, weights found and looked through but not loaded."""
    members = {}
    for run in (run for contender in contenders for run in contender.runs if not run.is_table):
        kind, path = find_captioner(run.source, roots)
        config = MemberConfig(
            run.name, kind, str(path), batch_size=batch_size, options=dict(settings)
        )
        member = make_member(config, roots)
        caption_predictor(member).check()
        members[run.name] = member
    return members


def say(
    ensemble: Ensemble, member: Member, album: Album, store: Path
) -> tuple[dict[str, str], float]:
    """Image id → caption of all readable images, and seconds an image; resumes from ``store``."""
    with ensemble.run(store) as run:
        member_run = MemberRun(member, album, run)
        member_run.finish()
        outputs, seconds = member_run.gathered().outputs, float(member_run.seconds().mean())
    best: dict[str, str] = {}
    for image_id, caption in caption_predictor(member).captions(outputs):
        best.setdefault(image_id, caption)
    return best, seconds


def captions_of(
    contenders: Sequence[Contender],
    members: Mapping[str, Member],
    ensemble: Ensemble,
    album: Album,
    store: Path,
) -> dict[str, Captions]:
    """Run name → its captions of the readable images."""
    image_ids = [image.image_id for image in album.good]
    found = {}
    for run in (run for contender in contenders for run in contender.runs):
        if run.is_table:
            found[run.name] = Captions(run, _in_order(load_texts(Path(run.source)), image_ids, run))
            continue
        member = members[run.name]
        said, seconds = say(ensemble, member, album, store)
        parameters = count_parameters(caption_predictor(member))
        found[run.name] = Captions(run, _in_order(said, image_ids, run), seconds, parameters)
    return found


def _in_order(texts: Mapping[str, str], image_ids: Sequence[str], run: Run) -> tuple[str, ...]:
    """A text for each image; a table may hold more."""
    absent = [image_id for image_id in image_ids if image_id not in texts]
    if absent:
        raise MismatchedIds(
            f"{run.source} has no caption of {len(absent)} of {len(image_ids)} images, first "
            f"{absent[0]!r}; caption them too, or leave them out of the listing"
        )
    return tuple(texts[image_id] for image_id in image_ids)
