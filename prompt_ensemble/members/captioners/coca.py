"""CoCa of open_clip, from a local checkpoint file or a folder with ``open_clip_config.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from prompt_ensemble.core.errors import BadConfig, BadWeights, nearest_name
from prompt_ensemble.members.captioners.caption_predictor import CaptionOptions, CaptionPredictor
from prompt_ensemble.models.checkpoints import load_state, load_strictly, read_json
from prompt_ensemble.models.folders import without_downloads
from prompt_ensemble.models.text_generation.generation import Generation

if TYPE_CHECKING:
    import torch

    from prompt_ensemble.images.preprocessing import Preprocessing
    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.text_generation.captioner import Captioner
    from prompt_ensemble.models.text_generation.decoding import Decoding

CONFIG = "open_clip_config.json"
CHECKPOINTS = ("open_clip_*.safetensors", "open_clip_*.bin", "*.safetensors", "*.bin", "*.pt")
"""Where a folder's tensors are looked for, in this order."""
START, END = 49406, 49407
"""Tokens of CLIP's vocabulary."""


@dataclass(frozen=True)
class CocaOptions(CaptionOptions):
    """CoCa's own option."""

    architecture: str | None = None
    """open_clip's name, e.g. coca_ViT-L-14; None reads it off the config or the tensors."""


class CocaPredictor(CaptionPredictor):
    """coca_ViT-B-32, coca_ViT-L-14, with or without fine-tuning on COCO."""

    stored_as = "prompt_ensemble.captioners.coca:CocaPredictor"
    Options: ClassVar[type[CocaOptions]] = CocaOptions
    default_weights: ClassVar[str] = "mscoco_finetuned_CoCa-ViT-L-14-laion2B-s13B-b90k"
    published = Generation(num_beams=2, max_length=30, min_length=5, scoring="2023")
    """open_clip's ``generate``: its 6 beams are 3 groups of 2 that nothing tells apart, so that all
    groups find the same, and what it returns is the result of 2 beams."""
    options: CocaOptions

    def load(self, placement: Placement) -> Captioner:
        """The checkpoint's model on the device."""
        from open_clip.tokenizer import SimpleTokenizer

        from prompt_ensemble.models.text_generation.searching_captioner import SearchingCaptioner

        checkpoint = find_checkpoint(self.path)
        state = unwrap(load_state(checkpoint))
        architecture = read_architecture(self.path, self.options.architecture, state)
        model = build(architecture["model_cfg"], state, checkpoint)
        return SearchingCaptioner(
            recipe(architecture),
            partial(begin, model.to(placement.device)),
            prompt=[START],
            end=END,
            read=partial(read, SimpleTokenizer()),
            generation=self.generation,
            longest=model.context_length,
        )


def find_checkpoint(path: Path) -> Path:
    """The file with the tensors."""
    if path.is_file():
        return path
    for pattern in CHECKPOINTS:
        if found := sorted(path.glob(pattern)):
            return found[0]
    raise BadWeights(f"{path} holds no checkpoint; expected one of {', '.join(CHECKPOINTS)}")


def unwrap(checkpoint: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """The state dict as open_clip saves it, without training's wrapping and old mask buffers."""
    state = checkpoint.get("state_dict", checkpoint)
    return {
        key.removeprefix("module."): tensor.float()
        for key, tensor in state.items()
        if not key.endswith("attn_mask")
    }


def read_architecture(
    path: Path, name: str | None, state: Mapping[str, torch.Tensor]
) -> dict[str, Any]:
    """``model_cfg`` and ``preprocess_cfg``, from the folder, the given name or the tensors."""
    if name is None and path.is_dir() and (path / CONFIG).exists():
        return checked(read_json(path / CONFIG), path / CONFIG)
    from open_clip import get_model_config, list_models

    known = [model for model in list_models() if model.startswith("coca_ViT")]
    name = name or recognise_architecture(state, known, path)
    if name not in known:
        raise BadConfig(f"architecture {name!r} is no CoCa; {nearest_name(name, known)}")
    return {"model_cfg": get_model_config(name)}


def checked(config: dict[str, Any], path: Path) -> dict[str, Any]:
    """A config that is one of a captioner."""
    model = config.get("model_cfg", {})
    if "multimodal_cfg" not in model or "hf_model_name" in model.get("text_cfg", {}):
        raise BadWeights(
            f"{path} describes no CoCa with a text tower of its own; expected model_cfg with "
            "vision_cfg, text_cfg and multimodal_cfg as in coca_ViT-L-14"
        )
    return config


def recognise_architecture(state: Mapping[str, torch.Tensor], known: list[str], path: Path) -> str:
    """open_clip's name of a network with tensors of these shapes."""
    from open_clip import get_model_config

    patches = state.get("visual.conv1.weight")
    for name in known:
        vision = get_model_config(name)["vision_cfg"]
        if patches is not None and patches.shape[::3] == (vision["width"], vision["patch_size"]):
            return name
    raise BadWeights(
        f"{path} is no CoCa checkpoint known here ({', '.join(known)}); put its {CONFIG} beside it"
    )


def build(config: Mapping[str, Any], state: dict[str, torch.Tensor], path: Path) -> Any:
    """The network with its tensors, all of them."""
    from open_clip import CoCa

    parts = ("embed_dim", "multimodal_cfg", "text_cfg", "vision_cfg", "quick_gelu")
    model = CoCa(**without_downloads({part: config[part] for part in parts if part in config}))
    if "logit_scale" in state:  # a number or a list of one
        state["logit_scale"] = state["logit_scale"].reshape(model.logit_scale.shape)
    load_strictly(model, state, path)
    return model.eval()


def recipe(architecture: Mapping[str, Any]) -> Preprocessing:
    """open_clip's words for a recipe as ours; what is not said is as in CLIP."""
    from prompt_ensemble.images.preprocessing import CLIP_MEAN, CLIP_STD, Preprocessing

    said = architecture.get("preprocess_cfg", {})
    side = architecture["model_cfg"]["vision_cfg"]["image_size"]
    squash = said.get("resize_mode", "shortest") == "squash"
    return Preprocessing(
        height=side,
        width=side,
        mean=tuple(said.get("mean", CLIP_MEAN)),
        std=tuple(said.get("std", CLIP_STD)),
        interpolation=said.get("interpolation", "bicubic"),
        resize_shortest=None if squash else side,
    )


def read(tokenizer: Any, tokens: list[int]) -> str:
    """Tokens to text, without the blanks that CLIP's vocabulary leaves before marks."""
    text = str(tokenizer.decode([token for token in tokens if token < START]))
    return text.replace(" .", ".").replace(" ,", ",").strip()


def begin(model: Any, pixels: torch.Tensor) -> Decoding:
    """A decoding that has looked at the images once."""
    from prompt_ensemble.members.captioners.coca_decoding import CocaDecoding

    _, image_tokens = model.visual(pixels)
    return CocaDecoding(model, image_tokens)
