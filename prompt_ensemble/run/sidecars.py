"""A text file with the prompt for every image, as trainers and image browsers want them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from prompt_ensemble.images.survey import SurveyedImage
from prompt_ensemble.run.prediction import Prediction

FOLDER = "sidecars"


def write_sidecars(prediction: Prediction, folder: Path) -> None:
    """``IMAGE.txt`` for every image with a prompt, in the subfolders in which the images lie."""
    for image in prediction.album.good:
        prompt = prediction.prompts.get(image.image_id)
        if prompt:
            path = folder / _place(image, prediction.album.folders)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(prompt.text + "\n", encoding="utf-8")


def _place(image: SurveyedImage, folders: Sequence[Path]) -> PurePosixPath:
    """Where an image's text goes: below ``folder`` as the image lies below the one it is from."""
    name = f"{image.image_id}.txt"
    if image.path is None:
        return _inside(name)
    for folder in folders:
        if image.path.is_relative_to(folder):
            return PurePosixPath(image.path.relative_to(folder).with_name(name))
    return PurePosixPath(name)


def _inside(name: str) -> PurePosixPath:
    """A path made of a caller's name for a picture, which never leads out of its folder."""
    outward = {"": "_", ".": "_", "..": "__"}
    return PurePosixPath(*(outward.get(part, part) for part in name.split("/")))
