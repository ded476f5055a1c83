"""Where captioners look in a few images, and how those that lie in run folders were trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prompt_ensemble.core.embeddings import Encode
from prompt_ensemble.images.survey import Album, SurveyedImage
from prompt_ensemble.members.captioners.tunable_captioner import TunableCaptioner
from prompt_ensemble.run.captioner_members import caption_predictor
from prompt_ensemble.run.ensemble import Ensemble
from prompt_ensemble.run.members import Member
from prompt_ensemble.study.captioning import Captions
from prompt_ensemble.study.compared import compare_values
from prompt_ensemble.study.contenders import Contender
from prompt_ensemble.study.gradients import Question, WordMap, word_maps
from prompt_ensemble.study.learning_curves import learning_curve
from prompt_ensemble.study.masking import mask_images, movement
from prompt_ensemble.study.material import Material, StudyImage
from prompt_ensemble.study.study import Looks
from prompt_ensemble.study.word_classes import SUBJECT, usual_lexicon

_WORDS_OF_AN_IMAGE = 2


@dataclass(frozen=True)
class LookOptions:
    """How much is asked."""

    images: int = 24
    """Images that are looked at in parts, drawn by chance; 0 asks nothing."""
    grid: int = 4
    """Cells a side that are made grey, one at a time."""
    words: tuple[str, ...] = ()
    """Words whose gradients are drawn; by default the first content words of each prompt."""
    drawn: int = 8
    """Images whose gradients are drawn, of those."""
    seed: int = 0


def look(
    material: Material,
    contenders: Sequence[Contender],
    captions: Mapping[str, Captions],
    members: Mapping[str, Member],
    ensemble: Ensemble,
    album: Album,
    options: LookOptions,
    store: Path,
    encode: Encode,
) -> Looks:
    """Grey cells for all captioners that are models, gradients for those that can be tuned."""
    curves = {name: learning_curve(_path(member)) for name, member in members.items()}
    trained = {name: curve for name, curve in curves.items() if curve}
    asked = [c for c in contenders if all(run.name in members for run in c.runs)]
    if not options.images or not asked:
        return Looks(curves=trained)
    rows = _chosen(material, options)
    masked = mask_images(ensemble, [album.good[row] for row in rows], options.grid)
    moved = {}
    for contender in asked:
        maps = []
        for run in contender.runs:
            whole = dict(zip(material.image_ids, captions[run.name].texts, strict=True))
            maps.append(movement(masked, whole, ensemble, members[run.name], store, encode))
        moved[contender.name] = np.stack(maps)
    means = {name: maps.mean(axis=(2, 3)).T for name, maps in moved.items()}
    return Looks(
        image_ids=masked.image_ids,
        moved={name: maps.mean(axis=0) for name, maps in moved.items()},
        movement=compare_values(means, material.groups[rows]),
        words=_word_maps(material, asked, members, ensemble, album, rows, options),
        curves=trained,
    )


def _chosen(material: Material, options: LookOptions) -> list[int]:
    """Rows of images drawn by chance; of images with a word that is asked for, if any is."""
    order = np.random.default_rng(options.seed).permutation(len(material.images)).tolist()
    if options.words:
        order.sort(key=lambda row: not _words(material.images[row], options))
    return sorted(order[: options.images])


def _word_maps(
    material: Material,
    contenders: Sequence[Contender],
    members: Mapping[str, Member],
    ensemble: Ensemble,
    album: Album,
    rows: Sequence[int],
    options: LookOptions,
) -> dict[str, tuple[WordMap, ...]]:
    """Gradients of the first run of each captioner that can be tuned."""
    questions = [
        question
        for row in [row for row in rows if _words(material.images[row], options)][: options.drawn]
        for question in _questions(material.images[row], album.good[row], options)
    ]
    found = {}
    for contender in contenders:
        predictor = caption_predictor(members[contender.runs[0].name])
        if isinstance(predictor, TunableCaptioner):
            device = ensemble.placement.device
            found[contender.name] = tuple(word_maps(predictor, questions, device))
    return found


def _questions(image: StudyImage, surveyed: SurveyedImage, options: LookOptions) -> list[Question]:
    return [
        Question(surveyed, image.prompts[0], word)
        for word in _words(image, options)[:_WORDS_OF_AN_IMAGE]
    ]


def _words(image: StudyImage, options: LookOptions) -> list[str]:
    """The words of an image's first prompt that are asked about."""
    prompt = image.prompts[0].lower()
    if options.words:
        return [word for word in options.words if word.lower() in prompt.split()]
    found = usual_lexicon().classify(prompt)
    return [word for word, kind in found.items() if kind == SUBJECT and word in prompt.split()]


def _path(member: Member) -> Path:
    return caption_predictor(member).path
