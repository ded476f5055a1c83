"""A Kaggle machine: read-only inputs under changing mount layouts, and a folder for results."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from prompt_ensemble.core.errors import MissingInput
from prompt_ensemble.models.weights import walk

_ROOT_VARIABLE = "PROMPT_ENSEMBLE_KAGGLE"
"""Names another folder than /kaggle, to try kernels elsewhere."""
RUN = "run"
"""Folder of a kernel's run inside its working folder, and so inside what others mount of it."""


@dataclass(frozen=True)
class Machine:
    """Where inputs are mounted and outputs are kept."""

    root: Path

    @classmethod
    def here(cls) -> Machine:
        """The machine this runs on."""
        return cls(Path(os.environ.get(_ROOT_VARIABLE, "/kaggle")))

    @property
    def input(self) -> Path:
        """Datasets, competitions and outputs of other kernels; read-only."""
        return self.root / "input"

    @property
    def working(self) -> Path:
        """What is kept when the kernel ends."""
        return self.root / "working"

    def all_with(self, marker: str) -> list[Path]:
        """Every folder that holds a file or folder of this name, nearest first."""
        return [folder for folder in walk(self.input) if (folder / marker).exists()]

    def find(self, marker: str, what: str) -> Path:
        """The nearest folder that holds ``marker``, whatever it is mounted as."""
        folders = self.all_with(marker)
        if not folders:
            mounted = ", ".join(str(folder) for folder in walk(self.input, 2)) or "nothing"
            raise MissingInput(
                f"{what} not found: no folder below {self.input} holds {marker!r}; mounted are "
                f"{mounted}; add it as an input of the kernel"
            )
        return folders[0]

    def continue_run(self) -> Path:
        """The run's folder, with the shards of an earlier, stopped run if one is mounted."""
        run = self.working / RUN
        for folder in self.all_with(RUN):
            earlier = folder / RUN / "store"
            if earlier.is_dir():
                shutil.copytree(earlier, run / "store", dirs_exist_ok=True)
        return run
