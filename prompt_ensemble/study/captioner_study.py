"""A study from a listing to its files: captions said or read, judged, looked into, written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prompt_ensemble.core.embeddings import Encode
from prompt_ensemble.core.extras import import_extra
from prompt_ensemble.core.files import require_writable, write_atomically
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.data.pairs import Pairs
from prompt_ensemble.evaluation.text_measures import require_libraries
from prompt_ensemble.images.find import ImageFile
from prompt_ensemble.run.captioner_members import caption_predictor
from prompt_ensemble.run.ensemble import Ensemble
from prompt_ensemble.run.pipeline import require_readable
from prompt_ensemble.study.captioning import SAME_FOR_ALL, captions_of, members_of
from prompt_ensemble.study.contenders import Contender
from prompt_ensemble.study.fairness import doubts
from prompt_ensemble.study.looking import LookOptions, look
from prompt_ensemble.study.material import gather, images_of
from prompt_ensemble.study.page import page
from prompt_ensemble.study.records import as_record, caption_table
from prompt_ensemble.study.study import Study, study_captions

STORE, RECORD, PAGE, TABLE = "store", "study.json", "study.html", "captions.csv"


@dataclass(frozen=True)
class StudyOptions:
    """The same conditions for all."""

    settings: Mapping[str, object] = field(default_factory=dict)
    """Of generation, above those of ``SAME_FOR_ALL``."""
    batch_size: int = 16
    looks: LookOptions = field(default_factory=LookOptions)


def run_study(
    pairs: Pairs,
    contenders: Sequence[Contender],
    out: Path,
    *,
    ensemble: Ensemble,
    encode: Encode,
    options: StudyOptions = StudyOptions(),
    progress: Progress = silent,
) -> Study:
    """Study captioners over the images of a listing, and write page, record and table to ``out``.

    Captions are kept in ``out/store``, so the same call continues a stopped one. Images that cannot
    be read are left out for all.
    """
    require_extras()
    require_writable(out)
    settings = {**SAME_FOR_ALL, **options.settings}
    members = members_of(contenders, ensemble.roots, settings, options.batch_size)
    listed = images_of(pairs)
    album = ensemble.survey([ImageFile(image.image_id, image.file) for image in listed])
    require_readable(album)
    readable = {image.image_id for image in album.good}
    captions = captions_of(contenders, members, ensemble, album, out / STORE)
    material = gather([image for image in listed if image.image_id in readable], encode, progress)
    looks = look(
        material, contenders, captions, members, ensemble, album, options.looks, out / STORE, encode
    )
    paths = {name: caption_predictor(member).path for name, member in members.items()}
    study = study_captions(
        material, contenders, captions, encode, settings=settings, looks=looks,
        doubts=doubts(material, paths, looks.curves),
        left_out=[image.reason for image in album.bad], progress=progress,
    )  # fmt: skip
    write_study(study, out)
    return study


def require_extras() -> None:
    """Complain now about libraries that are missing, and not after hours of captions."""
    require_libraries()
    import_extra("matplotlib", "plots", "the plots of a study need matplotlib")


def write_study(study: Study, out: Path) -> None:
    """The record, the table of captions, and the page."""
    write_atomically(out / RECORD, json.dumps(as_record(study), indent=1) + "\n")
    write_atomically(out / TABLE, caption_table(study))
    write_atomically(out / PAGE, page(study))
