"""The published values of Stable Diffusion 1, 2 and XL, which files in the original layout lack.

Each JSON file in ``published/`` holds a pipeline's small files by path, and what its tokenizers pad
with. Which of them fits is told by the shapes of a checkpoint's tensors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from prompt_ensemble.core.errors import BadConfig, BadWeights, nearest_name
from prompt_ensemble.generating.clip_words import write_clip_tokenizer

ARCHITECTURES = ("sd-1", "sd-2-base", "sd-2-v", "sdxl")
Shapes = Mapping[str, tuple[int, ...]]
_UNET = "model.diffusion_model."
_FIRST = f"{_UNET}input_blocks.0.0.weight"
_TEXT = (
    f"{_UNET}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight",
    f"{_UNET}input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight",
)
"""Where the text first enters; XL has no attention at the finest level."""
_BY_TEXT_WIDTH = {768: ("sd-1",), 1024: ("sd-2-v", "sd-2-base"), 2048: ("sdxl",)}


def write_architecture(name: str, folder: Path) -> None:
    """The small files of a pipeline, without weights."""
    if name not in ARCHITECTURES:
        raise BadConfig(
            f"architecture {name!r} is neither known nor a folder; "
            f"{nearest_name(name, list(ARCHITECTURES))}"
        )
    text = (resources.files(__package__) / "published" / f"{name}.json").read_text("utf-8")
    description = json.loads(text)
    for path, content in description["files"].items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))
    for path, padding in description["tokenizers"].items():
        write_clip_tokenizer(folder / path, padding)


def recognise_architecture(shapes: Shapes, predicts: str, file: Path) -> str:
    """The architecture by the shapes of a checkpoint's tensors.

    The two of Stable Diffusion 2 have the same shapes; ``predicts``, ``v`` or ``epsilon``, is what
    the file itself says of its training, if it says anything.
    """
    if _FIRST not in shapes:
        raise BadWeights(
            f"{file} lacks {_FIRST}, so it is no whole Stable Diffusion in the original layout; "
            "name such a file, or a folder of diffusers"
        )
    if (channels := shapes[_FIRST][1]) != 4:
        raise BadWeights(
            f"{file} takes {channels} channels, not 4: it is made for inpainting or the like; "
            "use a text-to-image checkpoint"
        )
    width = next((shapes[name][-1] for name in _TEXT if name in shapes), 0)
    fitting = _BY_TEXT_WIDTH.get(width, ())
    if len(fitting) == 2 and predicts:
        fitting = fitting[:1] if predicts == "v" else fitting[1:]
    if len(fitting) == 1:
        return fitting[0]
    reason = (
        f"may be {' or '.join(fitting)}, which have the same shapes"
        if fitting
        else f"has text of width {width}, which no architecture known here has"
    )
    raise BadWeights(
        f"{file} {reason}; say --architecture, one of {', '.join(ARCHITECTURES)}, "
        "or a folder of diffusers' small files"
    )
