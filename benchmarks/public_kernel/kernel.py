"""The three branches and the file, on a watch."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from public_kernel.ofa_branch import ofa_captions
from public_kernel.phrase_branch import blip_captions, phrase_prompts
from public_kernel.vit_branch import vit_rows

Result = TypeVar("Result")
WEIGHTS = {"ofa": 0.04, "interrogator": 0.2112, "vit": 0.7488}


@dataclass(frozen=True)
class Models:
    """Where each model lies, and how the two that others made are loaded."""

    ofa: Path
    load_blip: Callable[[], tuple[Any, Any]]
    load_interrogator: Callable[[], Any]
    vit: Path
    architecture: str
    encoder: Path


@dataclass
class Branches:
    """Texts of each branch, its rows, and the seconds of each stage."""

    captions: dict[str, list[str]] = field(default_factory=dict)
    rows: dict[str, np.ndarray] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def timed(self, stage: str, work: Callable[[], Result]) -> Result:
        started = time.perf_counter()
        result = work()
        self.seconds[stage] = time.perf_counter() - started
        return result

    @property
    def blended(self) -> np.ndarray:
        return sum(WEIGHTS[name] * rows for name, rows in self.rows.items())


def run_kernel(models: Models, files: Sequence[Path], device: str, out: Path) -> Branches:
    """From files to ``out``, loading each model when its turn comes."""
    from sentence_transformers import SentenceTransformer

    done = Branches()
    done.captions["ofa"] = done.timed("ofa", lambda: ofa_captions(models.ofa, files, device))
    done.captions["blip"] = done.timed(
        "blip", lambda: blip_captions(*models.load_blip(), files, device)
    )
    done.captions["interrogator"] = done.timed(
        "phrases",
        lambda: phrase_prompts(models.load_interrogator(), files, done.captions["blip"]),
    )
    encoder = SentenceTransformer(str(models.encoder), device=device, local_files_only=True)
    for name in ("ofa", "interrogator"):
        done.rows[name] = done.timed(
            f"embed {name}", lambda name=name: encoder.encode(done.captions[name])
        )
    done.rows["vit"] = done.timed(
        "vit", lambda: vit_rows(models.vit, models.architecture, files, device)
    )
    done.timed("file", lambda: write(files, done.blended, out))
    return done


def write(files: Sequence[Path], rows: np.ndarray, out: Path) -> None:
    """The usual way."""
    index = [f"{file.stem}_{number}" for file in files for number in range(rows.shape[1])]
    frame = pd.DataFrame({"val": rows.reshape(-1)}, index=pd.Index(index, name="imgId_eId"))
    frame.to_csv(out)
