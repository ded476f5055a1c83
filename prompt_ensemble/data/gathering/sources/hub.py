"""``hub:NAME``: the files of a published set, fetched because the user asks for it by that name."""

from __future__ import annotations

from pathlib import Path

from prompt_ensemble.core.errors import MissingInput
from prompt_ensemble.core.files import cache_folder

HUB = "hub:"
_FILES = [f"*.{suffix}" for suffix in (
    "parquet", "arrow", "zip", "tar", "tar.gz", "tgz", "csv", "tsv", "json", "jsonl", "md",
    "jpg", "jpeg", "png", "webp", "txt",
)]  # fmt: skip
"""No code: a set's loading script is neither fetched nor run."""


def fetched_set(name: str) -> Path:
    """The folder of a set's files, from the cache as far as they are there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.constants import is_offline_mode

    folder = cache_folder() / "hub" / name.replace("/", "--")
    expected = f"{HUB}{name} cannot be fetched"
    cure = "check the name and the network, or download the set and name its folder"
    if is_offline_mode():
        raise MissingInput(f"{expected}: HF_HUB_OFFLINE forbids the network; unset it, or {cure}")
    try:
        snapshot_download(name, repo_type="dataset", local_dir=folder, allow_patterns=_FILES)
    # The hub's client raises what its HTTP library does, under names of its own: any of it means
    # that there is no set.
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise MissingInput(f"{expected} ({type(error).__name__}: {reason}); {cure}") from error
    return folder
