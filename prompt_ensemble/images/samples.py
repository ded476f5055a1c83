"""Sample photos that scikit-image carries; run as a module it prints their paths."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from prompt_ensemble.core.errors import MissingDependency

PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg", "rocket.jpg")


def sample_images() -> list[Path]:
    """Photos to try the ensemble on."""
    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        raise MissingDependency(
            "the sample photos come with scikit-image; pip install 'prompt-ensemble[samples]'"
        )
    folder = Path(spec.origin).parent / "data"
    return [folder / photo for photo in PHOTOS]


if __name__ == "__main__":
    print(*sample_images())  # noqa: T201
