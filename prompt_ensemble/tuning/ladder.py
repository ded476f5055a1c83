"""A ladder of blends from simple to complex, where each rung must win on held-out groups.

Equal weights → tuned weights → tuned with a share of the prior → a gate. A rung is taken only if
its gain over the last one taken is beyond noise; the reasons say how each comparison went.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prompt_ensemble.core.certainty import Signals
from prompt_ensemble.core.intervals import Resampling
from prompt_ensemble.tuning import methods
from prompt_ensemble.tuning.cross_validation import fold_masks, held_out_cosines
from prompt_ensemble.tuning.gate_fit import fit_gate, gate_cosines
from prompt_ensemble.tuning.methods import Method
from prompt_ensemble.tuning.statistics import Statistics

EQUAL = "equal weights"
SINGLE = "best single member"
TUNED = "tuned"
_WITH_PRIOR = "tuned with prior"
GATED = "gate"
_FEWEST_GROUPS = 10
"""With fewer, intervals from resampling are far too narrow to be believed."""
_REFERENCES = {
    SINGLE: methods.best_single,
    "least squares": methods.least_squares,
    "Nelder-Mead": methods.nelder_mead,
}


@dataclass(frozen=True, eq=False)
class _Rung:
    """A method that fits weights, and its scores on images it was not fitted to."""

    name: str
    statistics: Statistics
    method: Method
    cosines: np.ndarray
    """``(N,)`` held-out cosine of each image."""

    @classmethod
    def of(cls, name: str, statistics: Statistics, method: Method, folds: np.ndarray) -> _Rung:
        """The rung with its held-out scores."""
        return cls(name, statistics, method, held_out_cosines(statistics, folds, method))

    def weights(self) -> dict[str, float]:
        """Weights fitted to all images, in digits that every processor agrees on."""
        fitted = self.method(self.statistics)
        if self.name != EQUAL:
            fitted = methods.rounded(fitted)
        return dict(zip(self.statistics.names, fitted.tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class Ladder:
    """All rungs tried, the highest one that was taken, and why."""

    rungs: tuple[_Rung, ...]
    taken: _Rung
    reasons: tuple[str, ...]

    def __getitem__(self, name: str) -> _Rung:
        return next(rung for rung in self.rungs if rung.name == name)


def climb(
    plain: Statistics,
    with_prior: Statistics | None,
    signals: Signals,
    resampling: Resampling,
    folds: np.ndarray,
) -> Ladder:
    """Try every rung, taking those that win; references are judged, too, but never taken."""
    taken = _Rung.of(EQUAL, plain, methods.equal, folds)
    rungs, reasons = [taken], []

    def step(rung: _Rung) -> _Rung:
        rungs.append(rung)
        better, reason = _compare(rung, taken, resampling)
        reasons.append(reason)
        return rung if better else taken

    taken = step(_Rung.of(TUNED, plain, methods.mean_cosine, folds))
    if with_prior:
        taken = step(_Rung.of(_WITH_PRIOR, with_prior, methods.mean_cosine, folds))
    if signals:
        taken = step(_gated(taken, signals, folds))
    references = [_Rung.of(name, plain, method, folds) for name, method in _REFERENCES.items()]
    return Ladder((*rungs, *references), taken, tuple(reasons))


def _compare(rung: _Rung, below: _Rung, resampling: Resampling) -> tuple[bool, str]:
    """Whether a rung beats the one below beyond noise, and a sentence with the numbers."""
    gain = resampling.difference(rung.cosines, below.cosines)
    groups = resampling.group_count
    better = gain.beyond_noise and groups >= _FEWEST_GROUPS
    verdict = "taken"
    if not gain.beyond_noise:
        verdict = f"within noise, {below.name} stays"
    elif not better:
        verdict = f"but {groups} groups are too few to believe it, {below.name} stays"
    return better, f"{rung.name} against {below.name}, held out: {gain}; {verdict}"


def _gated(below: _Rung, signals: Signals, folds: np.ndarray) -> _Rung:
    """The gate over the weights of the rung below, fitted and judged fold by fold."""
    statistics = below.statistics
    cosines = np.empty(len(statistics))
    for fitted, judged in fold_masks(folds):
        seen = statistics.rows(fitted)
        gate = fit_gate(seen, _rows(signals, fitted), below.method(seen))
        cosines[judged] = gate_cosines(gate, statistics.rows(judged), _rows(signals, judged))
    return _Rung(GATED, statistics, below.method, cosines)


def _rows(signals: Signals, chosen: np.ndarray) -> Signals:
    return {name: values[chosen] for name, values in signals.items()}
