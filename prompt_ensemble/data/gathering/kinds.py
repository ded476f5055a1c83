"""Whether a prompt alone made an image, or another image, a mask or a sketch took part."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from prompt_ensemble.data.gathering.generation import (
    CONTROLNET,
    GRID,
    IMG2IMG,
    INPAINTING,
    as_text,
    plain_key,
)

_IN_SETTINGS = {
    INPAINTING: re.compile(r"\b(Mask blur|Inpaint area|Masked content|Inpainting fill)\b[^:,]*:"),
    CONTROLNET: re.compile(r"\bControlNet(?: \d+| Enabled| Model)?:"),
    GRID: re.compile(r"\b(Script: [XYZ]/|[XYZ] Type:)"),
}
_DENOISED = re.compile(r"\bDenoising strength:")
_ENLARGED = re.compile(r"\b(Hires [a-z]+|First pass size):", re.IGNORECASE)
"""Enlarging an image of one's own denoises, too, and is no img2img."""
_STARTS = ("initimage", "initimages", "sourceimage", "initialimage", "initimagecreativity")
_CONTROLS = ("controlnet", "controlnets", "controlnetmodel", "controllayers", "ipadapters",
             "t2iadapters", "controlnetstrength")  # fmt: skip
_MODES = ("generationmode", "requesttype", "type", "mode")
_GRID_NAME = re.compile(r"^(grid|xyz_grid|xy_grid|contact_?sheet)[-_\d.]", re.IGNORECASE)


def kinds_in_settings(settings: str) -> tuple[str, ...]:
    """From AUTOMATIC1111's line of settings."""
    found = [kind for kind, sign in _IN_SETTINGS.items() if sign.search(settings)]
    if _DENOISED.search(settings) and not _ENLARGED.search(settings):
        found.append(IMG2IMG)
    return tuple(found)


def kinds_in_record(record: Mapping[str, object]) -> tuple[str, ...]:
    """From the keys and values of JSON."""
    return tuple(dict.fromkeys(_kinds(record)))


def kind_of_name(name: str) -> tuple[str, ...]:
    """From the name that programs give the grids they save."""
    return (GRID,) if _GRID_NAME.match(PurePosixPath(name).name) else ()


def _kinds(record: Mapping[str, object]) -> Iterator[str]:
    for key, value in record.items():
        name = plain_key(key)
        if name in _MODES:
            mode = plain_key(as_text(value))
            if "img2img" in mode or "image2image" in mode:
                yield IMG2IMG
            if "inpaint" in mode or "outpaint" in mode:
                yield INPAINTING
        elif value and name in _STARTS:
            yield IMG2IMG
        elif value and name in _CONTROLS:
            yield CONTROLNET
        elif value and name in ("mask", "maskimage", "initmask"):
            yield INPAINTING
