"""Folders of transformers, read strictly and only from the disk."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from prompt_ensemble.core.errors import BadConfig, BadWeights
from prompt_ensemble.images.preprocessing import Preprocessing
from prompt_ensemble.models.checkpoints import finite, list_faults, read_json, refuse_larger
from prompt_ensemble.models.weights import model_type

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_WEIGHT_FILES = ("model*.safetensors", "pytorch_model*.bin")
_TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model")
_RESAMPLING = ("nearest", "lanczos", "bilinear", "bicubic")
"""Names of the numbers that Pillow gives its filters and that the files store."""
COMPLAINTS = (OSError, ValueError, KeyError, TypeError, RuntimeError, pickle.UnpicklingError)
"""What transformers raises for folders that are damaged or of another kind."""


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' progress bars and loading reports, which the errors here replace."""
    from transformers.utils import logging

    with silenced(logging):
        yield


@contextmanager
def silenced(logging: Any) -> Iterator[None]:
    """The same for the logging module of any library that has transformers' kind."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def load_model(model_class: Any, folder: Path, kind: str, dtype: Any = "float32") -> Any:
    """The folder's model, with every tensor accounted for.

    ``from_pretrained`` fills missing tensors with random numbers and only logs it; here that is an
    error, as is a tensor too many or of another shape.
    """
    import torch

    require(folder, kind)
    try:
        with quiet():
            with torch.device("meta"):
                planned = model_class(
                    model_class.config_class.from_pretrained(
                        folder, local_files_only=True, trust_remote_code=False
                    )
                )
            refuse_larger(planned, [folder])
            model, notes = model_class.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                dtype=dtype,
            )
    except (*COMPLAINTS, SafetensorError) as error:
        raise unreadable(folder, error) from error
    faults = list_faults(
        missing=notes["missing_keys"],
        unexpected=notes["unexpected_keys"],
        mismatched=[name for name, *_ in notes["mismatched_keys"]],
    )
    if faults:
        raise BadWeights(
            f"{folder}: the weights do not fit config.json: {faults}; "
            "copy the whole model folder again"
        )
    finite(model.state_dict(), folder)
    return model.eval()


def require(folder: Path, kind: str) -> None:
    """Refuse a folder of another kind, or one without weights or tokenizer, before loading it."""
    folder_kind = model_type(folder)
    if folder_kind != kind:
        raise BadWeights(
            f"{folder}/config.json says model_type {folder_kind!r}, but {kind!r} is needed; "
            "name the folder of the right model, or use its kind"
        )
    for what, patterns in (("weights", _WEIGHT_FILES), ("tokenizer", _TOKENIZER_FILES)):
        if not any(any(folder.glob(pattern)) for pattern in patterns):
            raise BadWeights(
                f"{folder} holds no {what}; expected one of {', '.join(patterns)}; "
                "copy the whole model folder"
            )


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The folder's tokenizer."""
    from transformers import AutoTokenizer, GPT2Tokenizer

    try:
        with quiet():
            # GPT-2's files are opened by its own class: transformers 5.17 finds no class for a
            # folder that has vocab.json and merges.txt but no tokenizer.json.
            alone = _has_gpt2_files_alone(folder)
            loader: Any = GPT2Tokenizer if alone else AutoTokenizer
            tokenizer: PreTrainedTokenizerBase = loader.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
    except COMPLAINTS as error:
        raise unreadable(folder, error) from error
    return tokenizer


def _has_gpt2_files_alone(folder: Path) -> bool:
    """Whether a folder of GPT-2's tokenizer lacks the file of the ``tokenizers`` library."""
    config = folder / "tokenizer_config.json"
    named = read_json(config).get("tokenizer_class") if config.is_file() else None
    return (
        named in ("GPT2Tokenizer", "GPT2TokenizerFast") and not (folder / "tokenizer.json").exists()
    )


def unreadable(folder: Path, error: Exception) -> BadWeights:
    """The first line of an error of transformers, as one about the folder."""
    reason = next((line for line in str(error).splitlines() if line.strip()), repr(error))
    return BadWeights(f"{folder} cannot be loaded ({reason}); copy the whole model folder again")


def load_preprocessing(folder: Path) -> Preprocessing:
    """The preprocessing in ``preprocessor_config.json`` or ``processor_config.json``."""
    path = folder / "preprocessor_config.json"
    if path.exists():
        return _read_recipe(read_json(path), path)
    path = folder / "processor_config.json"
    if path.exists() and isinstance(recipe := read_json(path).get("image_processor"), dict):
        return _read_recipe(recipe, path)
    raise BadWeights(
        f"{folder}/preprocessor_config.json is missing, so the preprocessing of its "
        "images is not known; copy the whole model folder"
    )


def _read_recipe(recipe: dict[str, Any], path: Path) -> Preprocessing:
    """The preprocessing that a config of transformers describes."""
    kind = str(recipe.get("image_processor_type", recipe.get("feature_extractor_type", "")))
    try:
        crops = bool(recipe.get("do_center_crop", False))
        shortest, height, width = target_size(recipe["size"], recipe.get("crop_size"), crops)
        normalises = recipe.get("do_normalize", True)
        return Preprocessing(
            height=height,
            width=width,
            mean=_three(recipe["image_mean"]) if normalises else (0.0, 0.0, 0.0),
            std=_three(recipe["image_std"]) if normalises else (1.0, 1.0, 1.0),
            interpolation=_RESAMPLING[recipe.get("resample", 2 if kind.startswith("ViT") else 3)],
            resize_shortest=shortest,
        )
    except (KeyError, TypeError, ValueError, IndexError, BadConfig) as error:
        reason = f"{type(error).__name__}: {error}"
        raise BadWeights(
            f"{path} is no image recipe known here ({reason}); expected size, image_mean, "
            "image_std and resample as transformers writes them"
        ) from error


def target_size(size: Any, crop: Any, crops: bool) -> tuple[int | None, int, int]:
    """Length to resize the shorter side to (None to squash), then height and width."""
    if isinstance(size, int):  # old files: the shorter side where a crop follows, else a square
        size = {"shortest_edge": size} if crops else {"height": size, "width": size}
    if "shortest_edge" not in size:
        if crops and _sides(crop) != _sides(size):
            raise ValueError("a crop after squashing")
        return None, *_sides(size)
    if not crops:
        raise ValueError("pictures of different shapes")
    return int(size["shortest_edge"]), *_sides(crop)


def _sides(size: Any) -> tuple[int, int]:
    """Height and width."""
    return (size, size) if isinstance(size, int) else (int(size["height"]), int(size["width"]))


def _three(numbers: Any) -> tuple[float, float, float]:
    """One number for each colour."""
    red, green, blue = (float(number) for number in numbers)
    return red, green, blue


def reader(tokenizer: PreTrainedTokenizerBase) -> Callable[[list[int]], str]:
    """A function from tokens to text, without special tokens and blanks before punctuation."""
    words = len(tokenizer)

    def read(tokens: list[int]) -> str:
        # Models may have a few rows more than the tokenizer has words.
        known = [token for token in tokens if token < words]
        text = tokenizer.decode(known, skip_special_tokens=True, clean_up_tokenization_spaces=True)
        return str(text).strip()

    return read
