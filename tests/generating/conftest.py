"""The tiny Stable Diffusion of tests/tiny_diffusion.py, saved once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_diffusion import save_tiny_diffusion


@pytest.fixture(scope="session")
def diffusion_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of diffusers; tests that change it copy it first."""
    return save_tiny_diffusion(tmp_path_factory.mktemp("diffusion") / "tiny-diffusion")
