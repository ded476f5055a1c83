"""The folder that a run fills: images, flags, the record of what made them, the listing of pairs.

An image is there or it is not, so a run that was stopped goes on where it was. The record says
which model and recipe the images are by; another's are never mixed in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.files import atomic_file, write_atomically
from prompt_ensemble.core.records import read_object
from prompt_ensemble.generating.drawings import Drawing, Part
from prompt_ensemble.generating.image_generator import Drawn
from prompt_ensemble.generating.png_parameters import Settings, parameters_text, png_bytes
from prompt_ensemble.generating.recipe import GenerationRecipe
from prompt_ensemble.models.device import Placement

RECORD = "generating.json"
LISTING = "pairs.jsonl"
FLAGGED = "flagged.jsonl"


@dataclass(frozen=True)
class Labels:
    """What the listing says of where pairs are from."""

    source: str = "generated"
    tier: str = "A"


@dataclass(frozen=True)
class ImageFolder:
    """Where images of a run lie."""

    folder: Path

    def image(self, drawing: Drawing) -> Path:
        """The file of an image."""
        return self.folder / "images" / f"{drawing.name}.png"

    def is_done(self, drawing: Drawing) -> bool:
        """Whether an image is there, or was flagged."""
        return self.image(drawing).exists() or self._flag(drawing).exists()

    def keep(self, drawn: Drawn, settings: Settings) -> None:
        """Write an image, or note that it was flagged."""
        if drawn.picture is None:
            write_atomically(self._flag(drawn.drawing), "")
            return
        text = parameters_text(drawn.drawing, settings, drawn.picture.size)
        write_atomically(self.image(drawn.drawing), png_bytes(drawn.picture, text))

    def require_same(
        self, recipe: GenerationRecipe, settings: Settings, placement: Placement
    ) -> None:
        """Note what the images are made by, or complain if those already there are by another."""
        _, precision = str(placement).split()
        device = {"device": placement.device.type, "precision": precision}
        record = asdict(recipe) | asdict(settings) | device
        file = self.folder / RECORD
        if not file.exists():
            write_atomically(file, json.dumps(record, indent=1) + "\n")
            return
        earlier = read_object(file, "the record of generated images")
        for key, value in record.items():
            if earlier.get(key) != value:
                raise BadConfig(
                    f"{self.folder} holds images made with {key} {earlier.get(key)!r}, not "
                    f"{value!r}; go on as they were made, or name another folder with --out"
                )

    def write_listings(
        self, drawings: Iterable[Drawing], settings: Settings, labels: Labels, part: Part
    ) -> tuple[int, int]:
        """The listing of pairs and that of flagged images; how many stand in each."""
        ending = f"-{part.number + 1}-of-{part.of}" if part.of > 1 else ""
        listing, flagged = (
            self.folder / name.replace(".", f"{ending}.") for name in (LISTING, FLAGGED)
        )
        written = flags = 0
        with atomic_file(listing) as pairs, atomic_file(flagged) as others:
            for drawing in drawings:
                row = self._row(drawing, settings, labels)
                if self.image(drawing).exists():
                    pairs.write(row)
                    written += 1
                elif self._flag(drawing).exists():
                    others.write(row)
                    flags += 1
        if not flags:
            flagged.unlink()
        return written, flags

    def _row(self, drawing: Drawing, settings: Settings, labels: Labels) -> bytes:
        """A line of the listing."""
        row = {
            "image": self.image(drawing).relative_to(self.folder).as_posix(),
            "prompt": drawing.prompt,
            "source": labels.source,
            "tier": labels.tier,
            "seed": drawing.seed,
            "negative_prompt": settings.negative_prompt,
            "model": settings.model,
            "sampler": settings.sampler,
            "steps": settings.steps,
            "guidance": settings.guidance,
        }
        return (json.dumps(row, ensure_ascii=False) + "\n").encode()

    def _flag(self, drawing: Drawing) -> Path:
        """An empty file that stands for a flagged image."""
        return self.folder / "flagged" / drawing.name
