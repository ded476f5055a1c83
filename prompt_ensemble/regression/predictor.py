"""The regressor as a member of the ensemble."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prompt_ensemble.device import Placement
from prompt_ensemble.embeddings import Embeddings
from prompt_ensemble.findings import Findings
from prompt_ensemble.predictors import Encode, Looker, Predictor
from prompt_ensemble.weights import WeightRoots, weights_digest


@dataclass(frozen=True)
class RegressionOptions:
    """A saved regressor carries all it needs; there is nothing to choose yet."""


class RegressionPredictor(Predictor):
    """Predicts the embedding directly."""

    Options = RegressionOptions

    def __init__(self, weights: str, options: RegressionOptions, roots: WeightRoots) -> None:
        from prompt_ensemble.regression.saved import read_card

        super().__init__(weights, options, roots)
        self.roots = roots
        self.folder = roots.find(weights).path
        self.card = read_card(self.folder)
        self.backbones = [roots.find(name).path for name in self.card.tower.backbones]

    def identity(self) -> Mapping[str, object]:
        """Digests of the regressor's files, of its backbones' and of what it was trained on."""
        return {
            "weights": weights_digest(self.folder),
            "backbones": [weights_digest(path) for path in self.backbones],
            "trained_on": self.card.training.get("pairs_sha256", ""),
        }

    def open(self, placement: Placement, beside: Mapping[str, Findings]) -> Looker:
        """The network, on the device."""
        from prompt_ensemble.regression.regressor import RegressorLooker
        from prompt_ensemble.regression.saved import load_regressor

        model, card = load_regressor(self.folder, self.roots)
        return RegressorLooker(model, card.preprocessing, placement)

    def embed(self, findings: Findings, encode: Encode) -> Embeddings:
        """The vectors are the embeddings."""
        return Embeddings.of(findings.image_ids, findings.vectors)
