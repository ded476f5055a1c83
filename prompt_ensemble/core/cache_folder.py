"""Where things are kept that can be made again: embedded phrases, digests of files."""

from __future__ import annotations

import os
from pathlib import Path

ENVIRONMENT_VARIABLE = "PROMPT_ENSEMBLE_CACHE"


def cache_folder() -> Path:
    """The user's cache, or wherever ``PROMPT_ENSEMBLE_CACHE`` says."""
    named = os.environ.get(ENVIRONMENT_VARIABLE)
    if named:
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "prompt-ensemble"
