"""Features of a frozen tower, made as every member's outputs are: in batches, resumable."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from prompt_ensemble.core.embeddings import Embeddings, Encode
from prompt_ensemble.core.errors import BadConfig, BadWeights, UnreadableImage
from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.images.find import ImageFile
from prompt_ensemble.images.preprocessing import Preprocessing
from prompt_ensemble.images.survey import survey
from prompt_ensemble.members.contract import Batch, OpenedModel, Predictor
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.image_towers.feature_maps import features_in_cells
from prompt_ensemble.models.image_towers.image_tower import (
    TowerSpec,
    build_tower,
    frozen,
    load_backbones,
)
from prompt_ensemble.models.regressor.views import View
from prompt_ensemble.models.weights import WeightRoots, weights_digest
from prompt_ensemble.run.config import MemberConfig
from prompt_ensemble.run.member_run import MemberRun, Run
from prompt_ensemble.run.members import Member
from prompt_ensemble.run.store import Store

_BATCH_SIZE = 32
_CPU = Placement(torch.device("cpu"), torch.float32)


def tower_features(
    images: Sequence[Path],
    tower: TowerSpec,
    preprocessing: Preprocessing,
    view: View,
    roots: WeightRoots,
    store: Path,
    progress: Progress,
    cells: int = 0,
) -> np.ndarray:
    """``(N, D)`` float32 features of image files; ``store`` is gone when all are there.

    With ``cells``, rows are the tower's maps in so many squares a side.
    """
    features = _TowerFeatures(tower, preprocessing, view, roots, cells)
    member = Member(MemberConfig("features", "features", batch_size=_BATCH_SIZE), features)
    # Named by their places, for a listing may hold files of one name in several folders.
    files = [ImageFile(f"{number:09}", path) for number, path in enumerate(images)]
    album = survey(files, progress=progress)
    if album.bad:
        reasons = "; ".join(image.reason for image in album.bad)
        raise UnreadableImage(
            f"{len(album.bad)} of {len(images)} images to train on cannot be read: {reasons}; "
            "take their rows out of the listing"
        )
    member_run = MemberRun(member, album, Run(_CPU, Store(store), progress=progress))
    rows: np.ndarray = np.concatenate([outputs.vectors for outputs in member_run.outputs()])
    shutil.rmtree(store, ignore_errors=True)
    return rows


class _TowerFeatures(Predictor):
    """A frozen tower, and one view of each image."""

    def __init__(
        self,
        tower: TowerSpec,
        preprocessing: Preprocessing,
        view: View,
        roots: WeightRoots,
        cells: int,
    ) -> None:
        if not tower.backbones:
            raise BadWeights(f"tower {tower.name!r} names no published weights to start from")
        super().__init__("", None, roots)
        self.tower = tower
        self.preprocessing = preprocessing
        self.view = view
        self.roots = roots
        self.cells = cells

    def identity(self) -> Mapping[str, object]:
        """Tower, its weights, and how a picture is shown to it."""
        backbones = [weights_digest(self.roots.find(name).path) for name in self.tower.backbones]
        return {
            "tower": asdict(self.tower),
            "preprocessing": asdict(self.preprocessing),
            "view": asdict(self.view),
            "backbones": backbones,
            "cells": self.cells,
        }

    def open(self, placement: Placement, progress: Progress = silent) -> OpenedModel:
        """The tower with its published weights, in its fastest form."""
        tower = build_tower(self.tower)
        load_backbones(tower, self.tower, self.roots)
        fastest = tower.eval() if self.cells else frozen(tower.eval(), placement.device)
        return _OpenedTower(fastest, self)

    def embed(self, outputs: Outputs, encode: Encode) -> Embeddings:
        """Nothing: it takes a head to make embeddings of features."""
        raise BadConfig("features of a tower are no embeddings; train a head on them")


class _OpenedTower(OpenedModel):
    """The tower on its device."""

    def __init__(self, tower: torch.nn.Module, features: _TowerFeatures) -> None:
        self.tower = tower.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.view = features.view
        self.cells = features.cells
        self.preprocessing = features.view.recipe(features.preprocessing)

    def prepare(self, image: Image.Image) -> tuple[torch.Tensor, ...]:
        """The view's size and crop."""
        return (self.preprocessing.prepare(image),)

    def run(self, batch: Batch) -> Outputs:
        """A row of features an image."""
        pixels = self.view.of(self.preprocessing.normalise(batch.views[0]))
        ready = pixels.contiguous(memory_format=torch.channels_last)
        rows = features_in_cells(self.tower, ready, self.cells)
        return Outputs.of_vectors(batch.image_ids, rows.cpu().numpy())
