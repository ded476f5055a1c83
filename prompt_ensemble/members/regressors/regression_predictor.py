"""The regressor as a member of the ensemble."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_ensemble.core.embeddings import Embeddings, Encode
from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.core.seen_prompts import TRAINED_ON
from prompt_ensemble.members.contract import OpenedModel, Predictor
from prompt_ensemble.members.regressors.regression_options import (
    STATE_DICT_OPTIONS,
    RegressionOptions,
    refuse_state_dict_options,
)
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.folders import check_configs, opening
from prompt_ensemble.models.weights import WeightRoots, weights_digest

if TYPE_CHECKING:
    from prompt_ensemble.models.regressor.regressor_folder import RegressorCard


class RegressionPredictor(Predictor):
    """Predicts the embedding directly."""

    Options = RegressionOptions
    options: RegressionOptions

    def __init__(self, weights: str, options: RegressionOptions, roots: WeightRoots) -> None:
        from prompt_ensemble.models.checkpoints import state_file
        from prompt_ensemble.models.regressor.regressor_folder import DESCRIPTION, read_card
        from prompt_ensemble.models.regressor.views import parse_views

        super().__init__(weights, options, roots)
        self.roots = roots
        self.views = parse_views(options.views)
        path = roots.find(weights).path
        is_saved = (path / DESCRIPTION).is_file()
        self.path: Path = path if is_saved else state_file(path)
        self.card: RegressorCard | None = read_card(path) if is_saved else None
        backbones = self.card.tower.backbones if self.card else ()
        self.backbones = [roots.find(name).path for name in backbones]
        if self.card:
            refuse_state_dict_options(options, path)

    @cached_property
    def architecture(self) -> str:
        """timm's name of the network in a plain state dict."""
        return self.options.architecture or self.path.stem

    def identity(self) -> Mapping[str, object]:
        """Digests of weights, backbones and training data, and the options that matter."""
        options = asdict(self.options)
        relevant = {key: options[key] for key in options if key not in STATE_DICT_OPTIONS}
        if not self.options.keep_features:  # keys of stores from before there was the option
            del relevant["keep_features"]
        if self.card is None:
            relevant |= {key: options[key] for key in STATE_DICT_OPTIONS}
            relevant["architecture"] = self.architecture
        return relevant | {
            "weights": weights_digest(self.path),
            "backbones": [weights_digest(path) for path in self.backbones],
            "trained_on": self.card.training.get("pairs_sha256", "") if self.card else "",
        }

    def check(self) -> None:
        """The shapes of the head and of its weights fit each other."""
        from prompt_ensemble.models.regressor.regressor_folder import check_saved

        check_configs(self.path)
        if self.card:
            check_saved(self.path, self.card)

    def trained_on(self) -> Path | None:
        """The list of training prompts in a saved regressor's folder."""
        path = self.path / TRAINED_ON
        return path if self.card and path.is_file() else None

    def open(self, placement: Placement, progress: Progress = silent) -> OpenedModel:
        """The network, on the device."""
        from prompt_ensemble.members.regressors.opened_regressor import OpenedRegressor
        from prompt_ensemble.members.regressors.timm_checkpoint import (
            load_timm_regressor,
            timm_preprocessing,
        )
        from prompt_ensemble.models.image_towers.image_tower import frozen
        from prompt_ensemble.models.regressor.network import Regressor
        from prompt_ensemble.models.regressor.regressor_folder import load_regressor

        with opening(self.path):
            if self.card:
                model, card = load_regressor(self.path, self.roots)
                recipe = card.preprocessing
            else:
                model = load_timm_regressor(self.path, self.architecture)
                recipe = timm_preprocessing(self.architecture, self.options)
            if self.options.eight_bits:
                model = Regressor(frozen(model.tower, placement.device), model.head)
        return OpenedRegressor(
            model, recipe, placement, self.views, self.options.average, self.options.keep_features
        )

    def embed(self, outputs: Outputs, encode: Encode) -> Embeddings:
        """The vectors are the embeddings."""
        return Embeddings.of(outputs.image_ids, outputs.vectors)
