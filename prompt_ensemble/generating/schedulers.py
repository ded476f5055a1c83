"""Another scheduler for a pipeline, by the name of its class."""

from __future__ import annotations

from typing import Any

from prompt_ensemble.core.errors import BadConfig, nearest_name

_BATCH_NOISE = frozenset({"DPMSolverSDEScheduler", "CosineDPMSolverMultistepScheduler"})
"""They draw noise for a whole batch from one seed, so an image would depend on its neighbours."""


def set_scheduler(pipeline: Any, name: str) -> None:
    """Replace the scheduler by another that takes the same settings."""
    known = sorted({one.__name__ for one in pipeline.scheduler.compatibles} - _BATCH_NOISE)
    if name in _BATCH_NOISE:
        raise BadConfig(
            f"scheduler {name} draws the noise of a whole batch from one seed, so that images "
            "would depend on their neighbours; use DPMSolverMultistepScheduler"
        )
    if name not in known:
        raise BadConfig(f"scheduler {name!r} does not fit this model; {nearest_name(name, known)}")
    import diffusers

    scheduler = getattr(diffusers, name)
    try:
        pipeline.scheduler = scheduler.from_config(pipeline.scheduler.config)
    except (ImportError, ValueError) as error:
        raise BadConfig(f"scheduler {name}: {' '.join(str(error).split())[:200]}") from error
