"""A tuned blend as ``tune`` writes it, with numbers that nobody measured."""

from __future__ import annotations

from collections.abc import Mapping

from prompt_ensemble.core.intervals import Difference, Score
from prompt_ensemble.run.tuned_blend import TriedMethod, TunedBlend, TunedMember, Validation

SCORE = Score(0.5, 0.4, 0.6, 12)
GAIN = Difference(0.1, 0.05, 0.15, 0.01)


def a_blend(weights: Mapping[str, float]) -> TunedBlend:
    """The weights, with credentials of the right shape."""
    return TunedBlend(
        weights=weights,
        prior_weight=0.0,
        validation=Validation("digest", 12, 12, 3),
        chosen="tuned",
        held_out=SCORE,
        over_best_single=GAIN,
        reasons=("tuned against equal weights: taken",),
        methods={"tuned": TriedMethod(SCORE, GAIN, weights)},
        members={name: TunedMember(SCORE, GAIN) for name in weights},
        correlations={name: {name: 1.0} for name in weights},
        similarities={name: {name: 1.0} for name in weights},
    )
