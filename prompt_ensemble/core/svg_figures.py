"""Figures as SVG text, drawn by matplotlib."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from prompt_ensemble.core.extras import import_extra

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_svg(
    title: str, draw: Callable[[Figure], None], size: tuple[float, float], advice: str = ""
) -> str:
    """What ``draw`` puts on a figure of a size in inches.

    The same data give the same text, and no two titles share an id. ``advice`` says how to do
    without matplotlib, where that is possible.
    """
    matplotlib = import_extra("matplotlib", "plots", "plots need matplotlib", advice)
    from matplotlib.figure import Figure

    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": title, "font.size": 10}
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()[text.getvalue().index("<svg") :]
