"""How predicted embeddings err: shortened towards a mean, with more noise in some directions.

Along each principal direction of prompts a prediction is taken as ``p = c + s (t - m) + e``: the
true embedding's difference from the mean prompt m, times a slope s, about a centre c, with an error
e of some variance. Slopes and variances are learnt from predictions for left-out images.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from prompt_ensemble.core.embeddings import EMBEDDING_WIDTH
from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.records import FAULTS

ERRORS_FILE = "errors.safetensors"
_PULL = 0.1
"""Of the mean variance, by which slopes of directions that hardly vary are drawn to the mean."""


@dataclass(frozen=True, eq=False)
class ErrorModel:
    """All arrays are float32."""

    mean: np.ndarray
    """``(384,)``: the mean prompt, m."""
    centre: np.ndarray
    """``(384,)``: c, what is predicted for it."""
    directions: np.ndarray
    """``(384, 384)``: principal directions as columns."""
    slopes: np.ndarray
    variances: np.ndarray
    """``(384,)`` each: of every direction."""

    @classmethod
    def fit(cls, predicted: np.ndarray, true: np.ndarray, prompts: np.ndarray) -> ErrorModel:
        """From unit rows of predictions and truths; directions are those of many ``prompts``.

        An error's variance is drawn half the way, as logarithms go, to the mean of all: few
        left-out prompts tell each of them badly.
        """
        mean = prompts.mean(axis=0)
        _, directions = np.linalg.eigh(np.cov((prompts - mean).T))
        p, t = predicted @ directions, (true - mean) @ directions
        p_varies, t_varies = p - p.mean(axis=0), t - t.mean(axis=0)
        products, squares = (p_varies * t_varies).mean(axis=0), np.square(t_varies).mean(axis=0)
        pull = _PULL * squares.mean()
        slopes = (products + pull * products.sum() / squares.sum()) / (squares + pull)
        centre = (p - slopes * t).mean(axis=0)
        variances = np.square(p - centre - slopes * t).mean(axis=0)
        variances = np.sqrt(variances * variances.mean())
        arrays = (mean, directions @ centre, directions, slopes, variances)
        return cls(*(np.ascontiguousarray(array, np.float32) for array in arrays))

    def keys(self, prompts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows k and numbers n: ``k (p - c) - n`` is the log-likelihood of p from each prompt.

        The log of a normal density, without what is the same for all prompts:
        ``(p - c) s (t - m) / v - (s (t - m))² / 2 v``, summed over directions.
        """
        along = (prompts - self.mean) @ self.directions
        keys = (along * (self.slopes / self.variances)) @ self.directions.T
        norms = 0.5 * np.square(along * self.slopes) @ (1 / self.variances)
        return keys.astype(np.float32), norms.astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write in float16, variances in float32."""
        from safetensors.numpy import save

        arrays = {name: array.astype(np.float16) for name, array in vars(self).items()}
        write_atomically(folder / ERRORS_FILE, save(arrays | {"variances": self.variances}))

    @classmethod
    def load(cls, folder: Path) -> ErrorModel:
        """Read what ``save`` wrote."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        file, width = folder / ERRORS_FILE, EMBEDDING_WIDTH
        shapes = {name: (width,) for name in ("mean", "centre", "slopes", "variances")}
        try:
            arrays = load_file(file)
            found = {name: arrays[name].astype(np.float32) for name in (*shapes, "directions")}
            for name, array in found.items():
                if array.shape != shapes.get(name, (width, width)) or not np.isfinite(array).all():
                    raise ValueError(f"{name} is not of {width} finite numbers")
            if (found["variances"] <= 0).any():
                raise ValueError("a variance is not above 0")
        except (SafetensorError, *FAULTS) as error:
            raise BadWeights(
                f"{file} is no model of errors ({error}); copy the whole folder again"
            ) from error
        return cls(**found)
