"""How fast is it, at the published sizes?"""

from __future__ import annotations

from benchmarks.gpu_check.checks import Check
from benchmarks.gpu_check.models import Settings


def checks(settings: Settings) -> list[Check]:
    """Those of the part *fast*."""
    return []
