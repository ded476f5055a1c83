"""The prior: the one embedding used for any prompt."""

from __future__ import annotations

from prompt_ensemble.core.embeddings import Embeddings
from prompt_ensemble.core.errors import BadConfig, BadWeights
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.run.config import RunConfig

_PRIOR_FILE = "prior.safetensors"


def prior_of(config: RunConfig, roots: WeightRoots) -> Embeddings:
    """The configuration's prior, which must have one."""
    if not config.prior:
        raise BadConfig(
            f"{config.name!r} names no prior, so unreadable images cannot be filled in, nor can a "
            "blend hold a share of it; add prior = 'embedded-prior' to it, or use "
            "--on-bad-image fail and prior_weight 0"
        )
    return load_prior(config.prior, roots)


def load_prior(name: str, roots: WeightRoots) -> Embeddings:
    """A prior by the name of its weights."""
    path = roots.find(name).path
    file = path / _PRIOR_FILE if path.is_dir() else path
    if not file.is_file():
        raise BadWeights(
            f"prior {name!r} lies at {path}, which holds no {_PRIOR_FILE}; name a folder that "
            "does, such as 'embedded-prior', or an embeddings file"
        )
    return Embeddings.load(file)
