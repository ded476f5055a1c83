"""Model folders that others wrote, opened so that nothing in them runs and nothing is fetched.

Every loader works inside ``opening``. It first looks through the folder's JSON files and refuses
what would run code, fetch or open anything outside the folder, or build a network of a size that
none has; whether the rest makes sense is for the libraries to say. Whatever a library then
complains of becomes one line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prompt_ensemble.core.errors import BadWeights, PromptEnsembleError
from prompt_ensemble.models.checkpoints import read_json, read_json_list

_CARDS = {
    "regressor.json": ("tower",),
    "captioner.json": ("tower", "decoder"),
    "writer.json": ("decoder",),
}
"""Descriptions of our own; these parts of them say what is built, the rest records a training."""
_CONFIG_FILES = (
    "config.json",
    "tokenizer_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "generation_config.json",
    "open_clip_config.json",
    "model_index.json",
    "scheduler_config.json",
    *_CARDS,
    "sentence_*_config.json",
    "config_sentence_transformers.json",
    "*.safetensors.index.json",
    "*.bin.index.json",
)
"""What libraries take instructions from; vocabularies only hold words."""
_RUNS_CODE = frozenset({"auto_map", "custom_pipeline", "custom_pipelines", "trust_remote_code"})
_KERNELS = ("attn_implementation", "experts_implementation")
"""Keys that end so name a kernel; with a slash, one that transformers fetches and runs."""
_NAMES_FILES = frozenset(
    {"weight_map", "vocab_file", "merges_file", "tokenizer_file", "checkpoint_path", "path"}
)
"""Keys whose values libraries open as files."""
_DOWNLOADS = "pretrained"
"""Keys that end so make a library fetch weights: timm_model_pretrained, hf_model_pretrained."""
_PLAIN_LAYERS = frozenset({"Transformer", "Pooling", "Normalize", "Dense", "LayerNorm", "Dropout"})
"""Modules of sentence-transformers that are built from their own numbers and nothing else."""
_MOST_LEVELS = 32
_WIDTH, _LAYERS, _PIXELS, _WORDS = 2**16, 1000, 2**13, 2**22
_LARGEST = {
    **dict.fromkeys(("hidden_size", "width", "d_model", "n_embd", "embed_dim"), _WIDTH),
    **dict.fromkeys(("projection_dim", "encoder_hidden_size"), _WIDTH),
    **dict.fromkeys(("intermediate_size", "encoder_ffn_dim", "decoder_ffn_dim"), 4 * _WIDTH),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "layers", "depths"), _LAYERS),
    **dict.fromkeys(("encoder_layers", "decoder_layers", "num_query_tokens"), _LAYERS),
    **dict.fromkeys(("image_size", "patch_size"), _PIXELS),
    **dict.fromkeys(("vocab_size", "max_position_embeddings", "context_length"), _WORDS),
}
"""Many times what the largest published networks have; more would only fill the memory."""
_PANIC = "PanicException"
"""Rust's name for a fault in tokenizers or safetensors; in Python it is no ``Exception``."""


@contextmanager
def opening(path: Path) -> Iterator[None]:
    """Look through a model's folder, then load from it; every error is one line about it."""
    _close_network()
    check_configs(path)
    try:
        yield
    except (PromptEnsembleError, ImportError):
        raise
    except BaseException as error:
        # Libraries raise whatever they trip over: KeyError, TypeError, MemoryError, their own.
        if not isinstance(error, Exception) and type(error).__name__ != _PANIC:
            raise
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise BadWeights(
            f"{path} cannot be used because of {reason.rstrip(': ')}; "
            "copy the whole model folder again"
        ) from error


def _close_network() -> None:
    """Hugging Face's libraries stay offline in this process, whether or not they are imported."""
    os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"
    if constants := sys.modules.get("huggingface_hub.constants"):
        constants.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]


def check_configs(path: Path) -> None:
    """Complain about a folder whose files ask for what no weight folder may."""
    folder = path if path.is_dir() else path.parent
    _check_folder(folder)
    if path.is_dir() and (folder / "modules.json").is_file():
        for part in _check_modules(folder / "modules.json"):
            _check_folder(part)


def without_downloads(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with every switch off that makes a library fetch weights."""
    safe: dict[str, Any] = {}
    for key, value in config.items():
        if key.endswith(_DOWNLOADS):
            safe[key] = False
        elif isinstance(value, Mapping):
            safe[key] = without_downloads(value)
        else:
            safe[key] = value
    return safe


def _check_folder(folder: Path) -> None:
    """Complain about any config in one folder that asks for what it may not."""
    if (folder / "adapter_config.json").is_file():
        raise BadWeights(
            f"{folder} holds adapter_config.json: an adapter, whose model lies elsewhere; that is "
            "refused; merge it into its model, save that whole, and leave this file out"
        )
    for pattern in _CONFIG_FILES:
        for file in sorted(folder.glob(pattern)):
            config = read_json(file)
            if parts := _CARDS.get(file.name):
                config = {part: config.get(part) for part in parts}
            _check(config, file, _MOST_LEVELS)


def _check_modules(file: Path) -> Iterator[Path]:
    """The folders of sentence-transformers' modules, each of which must be a plain layer of it."""
    for module in read_json_list(file):
        if not isinstance(module, dict) or not isinstance(module.get("path"), str):
            raise BadWeights(f"{file} must list modules with type and path; copy it again")
        module_type = str(module.get("type", ""))
        is_theirs = module_type.startswith("sentence_transformers.")
        if not is_theirs or module_type.rpartition(".")[2] not in _PLAIN_LAYERS:
            raise BadWeights(
                f"{file} asks for the module {module_type!r}; that is refused, since a weight "
                f"folder must not run anything; known: {', '.join(sorted(_PLAIN_LAYERS))} of "
                "sentence_transformers"
            )
        _check_files(module["path"], "path", file)
        if module["path"] and (file.parent / module["path"]).is_dir():
            yield file.parent / module["path"]


def _check(value: object, file: Path, levels: int) -> None:
    """Complain about a key of a table, or of the tables and lists inside it."""
    if not levels:
        raise BadWeights(f"{file} is nested more than {_MOST_LEVELS} levels deep; copy it again")
    if isinstance(value, list):
        for inner in value:
            _check(inner, file, levels - 1)
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _check_key(key, inner, file)
            _check(inner, file, levels - 1)


def _check_key(key: str, value: object, file: Path) -> None:
    """Complain about what one key asks for."""
    runs = key in _RUNS_CODE and value
    fetches = key.endswith(_KERNELS) and "/" in str(value)
    imports = key == "activation_function" and _is_foreign(str(value))
    if runs or fetches or imports:
        raise BadWeights(
            f"{file} has {key!r}, which asks for code that comes with the weights to be run; "
            "that is refused, since a weight folder must not run anything; use a model that the "
            "installed transformers knows by itself"
        )
    if key == "timm_model_name" and set(":/") & set(str(value)):
        raise BadWeights(
            f"{file} names the network {value!r}, which lies on a hub or in another folder; that "
            "is refused; use a network that timm knows by its plain name"
        )
    if key in _NAMES_FILES:
        _check_files(value, key, file)
    if key in _LARGEST:
        _check_size(value, key, file)


def _is_foreign(name: str) -> bool:
    """Whether a dotted name belongs to anything but a layer of torch."""
    return "." in name and not name.startswith("torch.nn.")


def _check_files(value: object, key: str, file: Path) -> None:
    """Complain about a file that a config names outside its own folder."""
    names = value.values() if isinstance(value, Mapping) else [value]
    for name in names:
        if isinstance(name, str) and (Path(name).is_absolute() or ".." in Path(name).parts):
            raise BadWeights(
                f"{file} names the file {name!r} under {key!r}, which lies outside the model's "
                "folder; that is refused; put the file among the others and name it without a path"
            )


def _check_size(value: object, key: str, file: Path) -> None:
    """Complain about a measure that no network has."""
    for number in value if isinstance(value, list) else [value]:
        if isinstance(number, int) and not 0 <= number <= _LARGEST[key]:
            raise BadWeights(
                f"{file} says {key} {str(number)[:20]}; expected 0 to {_LARGEST[key]}; "
                "copy the file again"
            )
