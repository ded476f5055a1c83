"""The model that draws: where it lies, what its images' metadata call it, how it is opened."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prompt_ensemble.core.digests import remembered_digest
from prompt_ensemble.core.errors import BadWeights, MissingWeights
from prompt_ensemble.core.extras import import_extra
from prompt_ensemble.generating.pipeline_folders import open_folder
from prompt_ensemble.generating.pipeline_index import read_index
from prompt_ensemble.generating.png_parameters import Settings
from prompt_ensemble.generating.recipe import GenerationRecipe
from prompt_ensemble.generating.single_files import configuration, open_file
from prompt_ensemble.models.folders import opening

_FILES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin")


@dataclass(frozen=True)
class ImageModel:
    """A folder of diffusers, or a checkpoint in the original layout."""

    path: Path
    architecture: str = ""
    """Of a checkpoint: a name, or a folder of diffusers' small files; recognised if empty."""

    def open(self, dtype: Any) -> Any:
        """The pipeline, on the CPU."""
        self._require()
        if self.path.is_dir():
            return open_folder(self.path, dtype)
        return open_file(self.path, self.architecture, dtype)

    def settings(self, recipe: GenerationRecipe) -> Settings:
        """What the images' metadata say; nothing is loaded for it."""
        self._require()
        name = self.path.name if self.path.is_dir() else self.path.stem
        return Settings(
            recipe.scheduler or self._scheduler(), recipe.steps, recipe.guidance,
            recipe.negative_prompt, name, self._digest(),
        )  # fmt: skip

    def _require(self) -> None:
        """Complain about a path where no model can be, or about diffusers that is not there."""
        import_extra("diffusers", "generate", "generating images needs diffusers")
        if not self.path.exists():
            raise MissingWeights(f"{self.path} is not there; name a model's folder or file")
        if self.path.is_file() and self.path.suffix not in _FILES:
            raise BadWeights(f"{self.path} is no checkpoint; expected one of {', '.join(_FILES)}")

    def _scheduler(self) -> str:
        """The class of the model's own scheduler."""
        with opening(self.path):
            if self.path.is_dir():
                index = read_index(self.path)
            else:
                with configuration(self.path, self.architecture) as folder:
                    index = read_index(folder, needed=False)
        if "scheduler" not in index.parts:
            raise BadWeights(f"{self.path} names no scheduler; copy the whole model folder")
        return str(index.parts["scheduler"].__name__)

    def _digest(self) -> str:
        """Of a file as AUTOMATIC1111 takes it; of a folder, one of all files."""
        if self.path.is_file():
            return remembered_digest(self.path)
        digest = hashlib.sha256()
        for file in sorted(file for file in self.path.rglob("*") if file.is_file()):
            line = f"{file.relative_to(self.path)}\0{remembered_digest(file)}\n"
            digest.update(line.encode())
        return digest.hexdigest()
