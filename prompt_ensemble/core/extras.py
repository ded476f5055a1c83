"""Packages that not everybody needs: imported at first use, or one line that names their extra."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from prompt_ensemble.core.errors import MissingDependency


def import_extra(package: str, extra: str, need: str, otherwise: str = "") -> ModuleType:
    """The package, or an error: what needs it, the extra to install, and any way to go without."""
    try:
        return import_module(package)
    except ImportError as error:
        raise MissingDependency(
            f"{need}, which is not installed; pip install 'prompt-ensemble[{extra}]'"
            + (f", or {otherwise}" if otherwise else "")
        ) from error
