"""The regressor as a member of the ensemble."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from prompt_ensemble.core.embeddings import Embeddings, Encode
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.outputs import Outputs
from prompt_ensemble.core.seen_prompts import TRAINED_ON
from prompt_ensemble.members.contract import OpenedModel, Predictor
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.folders import check_configs, opening
from prompt_ensemble.models.weights import WeightRoots, weights_digest

if TYPE_CHECKING:
    from prompt_ensemble.models.regressor.regressor_folder import RegressorCard

OF_BARE = ("architecture", "image_size", "resize", "interpolation", "mean", "std")
"""Options that a saved regressor answers itself."""


@dataclass(frozen=True)
class RegressionOptions:
    """How each image is looked at; and what a bare state dict does not say of itself."""

    views: tuple[str, ...] = ("plain",)
    """Looks at each image: ``plain``, ``flip``, ``five-crop``, ``crop-centre``, ``size-288``,
    ``norm-imagenet`` …, joined by ``+`` to look in several ways at once."""
    average: Literal["unit", "raw"] = "unit"
    """Rows of the views are averaged at length one, or as the network left them."""
    eight_bits: bool = True
    """On a CPU, run a tower that is stored in eight bits as it is: faster, a little less exact."""
    architecture: str = ""
    """timm's name of the network; the file's own name if empty."""
    image_size: int = 0
    """Pixels a side; timm's own if 0, as with all that follows."""
    resize: Literal["", "squash"] = ""
    """``squash`` the whole picture into the square instead of cropping its middle."""
    interpolation: Literal["", "nearest", "bilinear", "bicubic", "lanczos"] = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


class RegressionPredictor(Predictor):
    """Predicts the embedding directly."""

    Options = RegressionOptions
    options: RegressionOptions

    def __init__(self, weights: str, options: RegressionOptions, roots: WeightRoots) -> None:
        from prompt_ensemble.models.regressor.regressor_folder import DESCRIPTION, read_card
        from prompt_ensemble.models.regressor.views import parse_views
        from prompt_ensemble.models.state_dicts import state_file

        super().__init__(weights, options, roots)
        self.roots = roots
        self.views = parse_views(options.views)
        found = roots.find(weights).path
        is_saved = (found / DESCRIPTION).is_file()
        self.path: Path = found if is_saved else state_file(found)
        self.card: RegressorCard | None = read_card(found) if is_saved else None
        backbones = self.card.tower.backbones if self.card else ()
        self.backbones = [roots.find(name).path for name in backbones]
        if self.card:
            refuse_bare_options(options, found)

    @cached_property
    def architecture(self) -> str:
        """timm's name of a bare state dict's network."""
        return self.options.architecture or self.path.stem

    def identity(self) -> Mapping[str, object]:
        """Digests of the files, of the backbones' and of what was learnt from; the options."""
        own = {key: value for key, value in asdict(self.options).items() if key not in OF_BARE}
        if self.card is None:
            own |= {key: value for key, value in asdict(self.options).items() if key in OF_BARE}
            own["architecture"] = self.architecture
        return own | {
            "weights": weights_digest(self.path),
            "backbones": [weights_digest(path) for path in self.backbones],
            "trained_on": self.card.training.get("pairs_sha256", "") if self.card else "",
        }

    def check(self) -> None:
        """Head and weights fit each other, as far as their shapes tell."""
        from prompt_ensemble.models.regressor.regressor_folder import check_saved

        check_configs(self.path)
        if self.card:
            check_saved(self.path, self.card)

    def trained_on(self) -> Path | None:
        """Beside the weights of a saved regressor."""
        path = self.path / TRAINED_ON
        return path if self.card and path.is_file() else None

    def open(self, placement: Placement) -> OpenedModel:
        """The network, on the device."""
        from prompt_ensemble.members.regressors.opened_regressor import OpenedRegressor
        from prompt_ensemble.members.regressors.timm_checkpoint import bare_recipe, load_bare
        from prompt_ensemble.models.image_towers.image_tower import frozen
        from prompt_ensemble.models.regressor.network import Regressor
        from prompt_ensemble.models.regressor.regressor_folder import load_regressor

        with opening(self.path):
            if self.card:
                model, card = load_regressor(self.path, self.roots)
                recipe = card.preprocessing
            else:
                model = load_bare(self.path, self.architecture)
                recipe = bare_recipe(self.architecture, self.options)
            if self.options.eight_bits:
                model = Regressor(frozen(model.tower, placement.device), model.head)
        return OpenedRegressor(model, recipe, placement, self.views, self.options.average)

    def embed(self, outputs: Outputs, encode: Encode) -> Embeddings:
        """The vectors are the embeddings."""
        return Embeddings.of(outputs.image_ids, outputs.vectors)


def refuse_bare_options(options: RegressionOptions, folder: Path) -> None:
    """A saved regressor says itself how it was trained; saying otherwise is a mistake."""
    plain = RegressionOptions()
    said = [name for name in OF_BARE if getattr(options, name) != getattr(plain, name)]
    if said:
        raise BadConfig(
            f"option {said[0]!r} is for bare state dicts; {folder} says itself what it is, "
            "so leave it out"
        )
