"""Hugging Face folders, read strictly and never from anywhere but the disk."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from prompt_ensemble.core.errors import BadConfig, BadWeights
from prompt_ensemble.images.preprocessing import Preprocessing
from prompt_ensemble.models.checkpoints import finite, read_json, refuse_larger
from prompt_ensemble.models.weights import model_type

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WEIGHT_FILES = ("model*.safetensors", "pytorch_model*.bin")
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model")
RESAMPLING = ("nearest", "lanczos", "bilinear", "bicubic")
"""Pillow's numbers, which the files carry."""
COMPLAINTS = (OSError, ValueError, KeyError, TypeError, RuntimeError, pickle.UnpicklingError)
"""What transformers raises for folders that are not what they should be."""


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' progress bars and loading reports; the errors below say it shorter."""
    from transformers.utils import logging

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
    """The folder's model, every tensor accounted for.

    ``from_pretrained`` fills missing tensors with random numbers and says so in a log; here that
    is an error, as is a tensor too many or of another shape.
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
    faults = [
        f"{len(keys)} {what} ({', '.join(keys[:3])}{' …' if len(keys) > 3 else ''})"
        for what in ("missing", "unexpected", "mismatched")
        if (
            keys := sorted(key if isinstance(key, str) else key[0] for key in notes[f"{what}_keys"])
        )
    ]
    if faults:
        raise BadWeights(
            f"{folder}: the weights do not fit config.json: {'; '.join(faults)}; "
            "copy the whole model folder again"
        )
    finite(model.state_dict(), folder)
    return model.eval()


def require(folder: Path, kind: str) -> None:
    """Complain about a folder of another kind or without its files, before loading anything."""
    found = model_type(folder)
    if found != kind:
        raise BadWeights(
            f"{folder}/config.json says model_type {found!r}, but {kind!r} is needed; "
            "name the folder of the right model, or use its kind"
        )
    for what, patterns in (("weights", WEIGHT_FILES), ("tokenizer", TOKENIZER_FILES)):
        if not any(any(folder.glob(pattern)) for pattern in patterns):
            raise BadWeights(
                f"{folder} holds no {what}; expected one of {', '.join(patterns)}; "
                "copy the whole model folder"
            )


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The folder's tokenizer."""
    from transformers import AutoTokenizer

    try:
        with quiet():
            tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
    except COMPLAINTS as error:
        raise unreadable(folder, error) from error
    return tokenizer


def unreadable(folder: Path, error: Exception) -> BadWeights:
    """One line for whatever transformers had to say."""
    reason = next((line for line in str(error).splitlines() if line.strip()), repr(error))
    return BadWeights(f"{folder} cannot be loaded ({reason}); copy the whole model folder again")


def load_preprocessing(folder: Path) -> Preprocessing:
    """The recipe in ``preprocessor_config.json`` (or in ``processor_config.json``)."""
    path = folder / "preprocessor_config.json"
    if path.exists():
        return read_recipe(read_json(path), path)
    path = folder / "processor_config.json"
    if path.exists() and isinstance(recipe := read_json(path).get("image_processor"), dict):
        return read_recipe(recipe, path)
    raise BadWeights(
        f"{folder}/preprocessor_config.json is missing, so how the model wants its pictures is "
        "not known; copy the whole model folder"
    )


def read_recipe(recipe: dict[str, Any], path: Path) -> Preprocessing:
    """transformers' words for a recipe as ours."""
    kind = str(recipe.get("image_processor_type", recipe.get("feature_extractor_type", "")))
    try:
        crops = bool(recipe.get("do_center_crop", False))
        shortest, height, width = target_size(recipe["size"], recipe.get("crop_size"), crops)
        normalises = recipe.get("do_normalize", True)
        return Preprocessing(
            height=height,
            width=width,
            mean=three(recipe["image_mean"]) if normalises else (0.0, 0.0, 0.0),
            std=three(recipe["image_std"]) if normalises else (1.0, 1.0, 1.0),
            interpolation=RESAMPLING[recipe.get("resample", 2 if kind.startswith("ViT") else 3)],
            resize_shortest=shortest,
        )
    except (KeyError, TypeError, ValueError, IndexError, BadConfig) as error:
        said = f"{type(error).__name__}: {error}"
        raise BadWeights(
            f"{path} is no image recipe known here ({said}); expected size, image_mean, "
            "image_std and resample as transformers writes them"
        ) from error


def target_size(size: Any, crop: Any, crops: bool) -> tuple[int | None, int, int]:
    """Length of the shorter side (None to squash), height and width."""
    if isinstance(size, int):  # old files: the shorter side where a crop follows, else a square
        size = {"shortest_edge": size} if crops else {"height": size, "width": size}
    if "shortest_edge" not in size:
        if crops and sides(crop) != sides(size):
            raise ValueError("a crop after squashing")
        return None, *sides(size)
    if not crops:
        raise ValueError("pictures of different shapes")
    return int(size["shortest_edge"]), *sides(crop)


def sides(size: Any) -> tuple[int, int]:
    """Height and width."""
    return (size, size) if isinstance(size, int) else (int(size["height"]), int(size["width"]))


def three(numbers: Any) -> tuple[float, float, float]:
    """One number per colour."""
    red, green, blue = (float(number) for number in numbers)
    return red, green, blue


def reader(tokenizer: PreTrainedTokenizerBase) -> Callable[[list[int]], str]:
    """Tokens to text: without special tokens, and with the blanks before marks taken out."""
    words = len(tokenizer)

    def read(tokens: list[int]) -> str:
        # Models may have a few rows more than the tokenizer has words.
        known = [token for token in tokens if token < words]
        text = tokenizer.decode(known, skip_special_tokens=True, clean_up_tokenization_spaces=True)
        return str(text).strip()

    return read
