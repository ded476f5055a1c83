"""Rates over the steps, and the running average of weights."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from prompt_ensemble.training.schedule import WeightAverage, rate_factor


@given(st.integers(1, 500), st.floats(0, 0.5))
def test_rates_rise_then_fall_to_nearly_nothing(steps: int, warm_up: float) -> None:
    rates = [rate_factor(step, steps, warm_up) for step in range(steps)]
    top = rates.index(max(rates))
    assert 0 < max(rates) <= 1
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_the_average_follows_the_weights() -> None:
    module = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(module.weight)
    average = WeightAverage(module, decay=0.5)
    nn.init.ones_(module.weight)
    seen = []
    for step in range(100, 104):
        average.update(module, step)
        seen.append(float(average.state["weight"]))
    assert seen == [0.5, 0.75, 0.875, 0.9375]
