"""The gate's gradient is the slope of its loss."""

import numpy as np
from scipy.optimize import approx_fprime
from synthetic_members import noisy_members

from prompt_ensemble.tuning.gate_fit import fit_gate, gate_cosines, loss_and_gradient
from prompt_ensemble.tuning.objective import blend_cosines
from prompt_ensemble.tuning.statistics import gather


def test_the_gradient_is_the_slope():
    statistics = gather(*noisy_members([1, 2, 3], images=60))
    random = np.random.default_rng(0)
    signals = random.normal(size=(60, 2))
    coefficients = random.normal(size=(3, 3))

    def loss(flat):
        return loss_and_gradient(flat.reshape(3, 3), statistics, signals)[0]

    _, gradient = loss_and_gradient(coefficients, statistics, signals)
    assert np.allclose(gradient, approx_fprime(coefficients.ravel(), loss), atol=1e-5)


def test_signals_that_never_vary_change_no_weight():
    statistics = gather(*noisy_members([1.0, 1.5, 4.0], images=200))
    weights = np.array([0.6, 0.3, 0.1])
    signals = {"m0 score": np.ones(200)}
    gate = fit_gate(statistics, signals, weights)
    assert np.abs(np.array(gate.slopes)).max() == 0
    fitted = gate_cosines(gate, statistics, signals).mean()
    assert fitted >= blend_cosines(statistics, weights).mean()
