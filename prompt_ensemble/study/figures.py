"""The plots of a study, as SVG text for its page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from prompt_ensemble.core.svg_figures import draw_svg
from prompt_ensemble.evaluation.text_measures import COSINE
from prompt_ensemble.study.measures import COVERED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from prompt_ensemble.core.intervals import Score
    from prompt_ensemble.study.study import Study

_WIDTH = 5.6
_BINS = 40


def figures(study: Study) -> Iterator[tuple[str, str]]:
    """Title and SVG of each plot there is data for."""
    plots: list[tuple[str, Callable[..., None], float]] = [
        ("Cosines of captions to the true prompts", _draw_histogram, 3.4),
        ("Words of the prompts covered, by their class (95%)", _draw_coverage, 3.4),
    ]
    curves = _curve_names(study)
    if curves:
        plots.append(("Training against images seen", _draw_curves, 2.2 * len(curves)))
    for title, draw, height in plots:
        yield title, draw_svg(title, partial(draw, study=study), (_WIDTH, height))


def _draw_histogram(figure: Figure, study: Study) -> None:
    """Distribution over images, the mean of a contender's runs."""
    axes = figure.subplots()
    edges = np.linspace(-0.2, 1, _BINS + 1)
    for name, columns in study.values(COSINE).items():
        counts, _ = np.histogram(columns.mean(axis=1), edges)
        axes.stairs(counts, edges, label=name, linewidth=1.5)
    axes.set_xlabel("cosine to the true prompt")
    axes.set_ylabel("images")
    axes.legend(fontsize="small")


def _draw_coverage(figure: Figure, study: Study) -> None:
    """A bar for each class and contender."""
    axes = figure.subplots()
    shown = {name: study.measures[key] for key, name in COVERED.items() if key in study.measures}
    names = [contender.name for contender in study.contenders]
    width = 0.8 / len(names)
    for place, name in enumerate(names):
        scores = [found.summaries[name].score for found in shown.values()]
        means = np.array([score.mean for score in scores])
        ends = np.array([_ends(score) for score in scores]).reshape(-1, 2)
        where = np.arange(len(shown)) + (place - (len(names) - 1) / 2) * width
        axes.bar(where, means, width, yerr=np.abs(ends.T - means), capsize=2, label=name)
    axes.set_xticks(range(len(shown)), list(shown))
    axes.set_ylabel("share covered")
    axes.legend(fontsize="small")


def _ends(score: Score) -> tuple[float, float]:
    """Of the interval; the mean itself where none is stated."""
    if score.low is None or score.high is None:
        return score.mean, score.mean
    return score.low, score.high


def _curve_names(study: Study) -> list[str]:
    """Numbers that trainings noted."""
    noted = {name for curve in study.looks.curves.values() for name in curve.noted}
    return sorted(noted)


def _draw_curves(figure: Figure, study: Study) -> None:
    """A panel for each number, a colour for each contender, a line for each run."""
    names = _curve_names(study)
    panels = figure.subplots(len(names), sharex=True, squeeze=False)[:, 0]
    for panel, name in zip(panels, names, strict=True):
        for place, contender in enumerate(study.contenders):
            runs = [study.looks.curves.get(run.name) for run in contender.runs]
            lines = [curve.noted[name] for curve in runs if curve and name in curve.noted]
            _draw_lines(panel, lines, f"C{place}", contender.name)
        panel.set_ylabel(name.replace("_", " "))
    panels[-1].set_xlabel("images seen")
    panels[0].legend(fontsize="small")


def _draw_lines(
    axes: Axes, lines: list[tuple[tuple[int, float], ...]], colour: str, label: str
) -> None:
    for line in lines:
        seen, values = zip(*line, strict=True)
        axes.plot(seen, values, color=colour, linewidth=1.2, label=label)
        label = "_"  # one entry of the legend for all runs
