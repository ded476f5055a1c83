"""The plots of an evaluation, as SVG text for its page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from prompt_ensemble.core.svg_figures import draw_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from prompt_ensemble.evaluation.evaluate import Evaluation

_WIDTH = 5.6
_BINS = 40
_CONFIDENCE_BINS = 10
_MOST_HISTOGRAMS = 12


def figures(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    """Title and SVG of each plot there is data for."""
    names = list(evaluation.scores)
    plots: list[tuple[str, Callable[..., None], float]] = [
        ("Scores of images", _draw_histogram, 3.6)
    ]
    if evaluation.loss_without:
        height = 1.4 + 0.35 * len(evaluation.loss_without)
        plots.append(
            ("Weights, and what the blend loses without a member", _draw_weight_bars, height)
        )
    if len(names) > 1:
        plots.append(("Correlation of the predictions' scores", _draw_heat_map, 4.8))
    if evaluation.signals:
        plots.append(("Score by confidence", _draw_calibration, 3.6))
    for title, draw, height in plots:
        drawn = partial(draw, evaluation=evaluation)
        yield title, draw_svg(title, drawn, (_WIDTH, height), "leave out --out")


def _draw_histogram(figure: Figure, evaluation: Evaluation) -> None:
    """Distribution of the images' cosines, a line for each prediction."""
    axes = figure.subplots()
    edges = np.linspace(-0.2, 1, _BINS + 1)
    for name in list(evaluation.scores)[:_MOST_HISTOGRAMS]:
        counts, _ = np.histogram(evaluation.cosines[name], edges)
        axes.stairs(counts, edges, label=name, linewidth=1.5)
    axes.set_xlabel("cosine to the true prompt")
    axes.set_ylabel("images")
    axes.legend(fontsize="small")


def _draw_weight_bars(figure: Figure, evaluation: Evaluation) -> None:
    """Weights on the left, leave-one-out losses with their intervals on the right."""
    names = list(evaluation.loss_without)[::-1]
    losses = [evaluation.loss_without[name] for name in names]
    left, right = figure.subplots(1, 2, sharey=True)
    left.barh(names, [evaluation.weights[name] for name in names])
    left.set_xlabel("weight")
    means = np.array([loss.mean for loss in losses])
    reach = np.abs(np.array([(loss.low, loss.high) for loss in losses]).T - means)
    right.barh(names, means, xerr=reach, color="tab:orange", capsize=3)
    right.axvline(0, color="black", linewidth=0.8)
    right.set_xlabel("score lost without it (95%)")


def _draw_heat_map(figure: Figure, evaluation: Evaluation) -> None:
    """Correlation of the cosines of every two predictions."""
    names = list(evaluation.scores)
    axes = figure.subplots()
    values = np.corrcoef(np.stack([evaluation.cosines[name] for name in names]))
    axes.imshow(values, vmin=0, vmax=1, cmap="viridis")
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    for row, column in np.ndindex(*values.shape):
        shade = "black" if values[row, column] > 0.6 else "white"
        axes.text(column, row, f"{values[row, column]:.2f}", ha="center", va="center", color=shade)


def _draw_calibration(figure: Figure, evaluation: Evaluation) -> None:
    """Mean score of the leading prediction by tenths of each confidence signal."""
    axes = figure.subplots()
    scores = evaluation.cosines[evaluation.leading]
    for name, values in evaluation.signals.items():
        parts = np.array_split(scores[np.argsort(values, kind="stable")], _CONFIDENCE_BINS)
        means = [float(part.mean()) for part in parts if len(part)]
        axes.plot(range(1, len(means) + 1), means, marker="o", label=name)
    axes.set_xlabel("tenth of the images by confidence")
    axes.set_ylabel(f"mean cosine of {evaluation.leading}")
    axes.legend(fontsize="small")
