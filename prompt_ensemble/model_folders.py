"""Model folders that others wrote, opened so that nothing in them runs and nothing is fetched.

Every loader of a captioner, tower or encoder works inside ``opening``, which looks through the
folder's JSON files first and turns whatever a library then complains of into one line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prompt_ensemble.checkpoints import read_json
from prompt_ensemble.errors import BadWeights, PromptEnsembleError

CONFIG_FILES = (
    "config.json",
    "tokenizer_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "generation_config.json",
    "open_clip_config.json",
    "modules.json",
    "*.safetensors.index.json",
    "*.bin.index.json",
)
"""What libraries take instructions from; vocabularies only hold words."""
RUNS_CODE = frozenset({"auto_map", "custom_pipeline", "custom_pipelines", "trust_remote_code"})
NAMES_FILES = frozenset(
    {"weight_map", "vocab_file", "merges_file", "tokenizer_file", "checkpoint_path", "path"}
)
"""Keys whose values libraries open as files."""
DOWNLOADS = "pretrained"
"""Keys that end so make a library fetch weights: timm_model_pretrained, hf_model_pretrained."""
MOST_LEVELS = 32


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """Look through a model's folder, then load from it; every error is one line about it."""
    close_network()
    check_configs(path)
    try:
        yield
    except (PromptEnsembleError, ImportError):
        raise
    except Exception as error:
        # Libraries raise whatever they trip over: KeyError, TypeError, MemoryError, their own.
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise BadWeights(
            f"{path} cannot be used because of {reason.rstrip(': ')}; "
            "copy the whole model folder again"
        ) from error


def close_network() -> None:
    """Hugging Face's libraries stay offline in this process, whether or not they are imported."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    if constants := sys.modules.get("huggingface_hub.constants"):
        constants.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]


def check_configs(path: Path) -> None:
    """Complain about a folder whose files ask for code to be run or point out of the folder."""
    folder = path if path.is_dir() else path.parent
    for pattern in CONFIG_FILES:
        for file in sorted(folder.glob(pattern)):
            if file.name != "modules.json":  # a list of sentence-transformers' own
                _check_table(read_json(file), file, MOST_LEVELS)


def without_downloads(config: Mapping[str, Any]) -> dict[str, Any]:
    """The same config with every switch off that makes a library fetch weights."""
    return {
        key: False
        if key.endswith(DOWNLOADS)
        else without_downloads(value)
        if isinstance(value, Mapping)
        else value
        for key, value in config.items()
    }


def _check_table(table: Mapping[str, Any], file: Path, levels: int) -> None:
    """Every key of a table and of the tables in it."""
    if not levels:
        raise BadWeights(f"{file} is nested more than {MOST_LEVELS} levels deep; copy it again")
    for key, value in table.items():
        if key in RUNS_CODE and value:
            raise BadWeights(
                f"{file} has {key!r}, which asks for code beside the weights to be run; that is "
                "refused, since a weight folder must not run anything; use a model that the "
                "installed transformers knows by itself"
            )
        if key in NAMES_FILES:
            _check_files(value, key, file)
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, Mapping):
                _check_table(inner, file, levels - 1)


def _check_files(value: object, key: str, file: Path) -> None:
    """Files that a config names must lie in its own folder."""
    names = value.values() if isinstance(value, Mapping) else [value]
    for name in names:
        if isinstance(name, str) and (Path(name).is_absolute() or ".." in Path(name).parts):
            raise BadWeights(
                f"{file} names the file {name!r} under {key!r}, which lies outside the model's "
                "folder; that is refused; put the file beside the others and name it without a path"
            )
