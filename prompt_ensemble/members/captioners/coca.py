"""CoCa of open_clip, from a local checkpoint file or a folder with ``open_clip_config.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from prompt_ensemble.core.errors import BadConfig, BadWeights, nearest_name
from prompt_ensemble.members.captioners.caption_predictor import CaptionOptions
from prompt_ensemble.members.captioners.tunable_captioner import Published, TunableCaptioner
from prompt_ensemble.models.folders import without_downloads
from prompt_ensemble.models.text_generation.generation import Generation

if TYPE_CHECKING:
    import torch

    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.open_clip_folders import Architecture
    from prompt_ensemble.models.text_generation.decoding import Decoding
    from prompt_ensemble.models.text_generation.searching_captioner import SearchingCaptioner

START, END = 49406, 49407
"""Tokens of CLIP's vocabulary."""


@dataclass(frozen=True)
class _CocaOptions(CaptionOptions):
    """CoCa's own option."""

    architecture: str | None = None
    """open_clip's name, e.g. coca_ViT-L-14; None reads it off the config or the tensors."""


class CocaPredictor(TunableCaptioner):
    """coca_ViT-B-32, coca_ViT-L-14, with or without fine-tuning on COCO."""

    stored_as = "prompt_ensemble.captioners.coca:CocaPredictor"
    Options: ClassVar[type[_CocaOptions]] = _CocaOptions
    default_weights: ClassVar[str] = "mscoco_finetuned_CoCa-ViT-L-14-laion2B-s13B-b90k"
    published = Generation(num_beams=2, max_length=30, min_length=5, scoring="2023")
    """open_clip's ``generate``: its 6 beams are 3 groups of 2 that nothing tells apart, so that all
    groups find the same, and what it returns is the result of 2 beams."""
    options: _CocaOptions

    def read(self, placement: Placement) -> Published:
        """The checkpoint's network, and open_clip's own words."""
        from open_clip.tokenizer import SimpleTokenizer

        from prompt_ensemble.models.open_clip_folders import find_checkpoint, read_state

        checkpoint = find_checkpoint(self.path)
        state = read_state(checkpoint)
        architecture = _read_architecture(self.path, self.options.architecture, state)
        model = _build(architecture.model, state, checkpoint)
        return Published(model, architecture.recipe(), SimpleTokenizer())

    def searching(self, published: Published) -> SearchingCaptioner:
        """The network with its words."""
        from prompt_ensemble.models.text_generation.searching_captioner import SearchingCaptioner

        return SearchingCaptioner(
            published.preprocessing,
            partial(begin, published.model),
            prompt=[START],
            end=END,
            read=partial(read, published.tokenizer),
            generation=self.generation,
            longest=published.model.context_length,
        )

    def pieces(self, published: Published, text: str) -> list[int]:
        """As open_clip's tokenizer cuts it."""
        tokens: list[int] = published.tokenizer.encode(text)
        return tokens

    def logits(
        self, published: Published, pixels: torch.Tensor, tokens: torch.Tensor
    ) -> torch.Tensor:
        """Both text towers over the whole text."""
        logits: torch.Tensor = published.model(pixels, tokens, output_labels=False)["logits"]
        return logits


def _read_architecture(
    path: Path, name: str | None, state: Mapping[str, torch.Tensor]
) -> Architecture:
    """The architecture in the folder's config, of the given name, or of the tensors' shapes."""
    from open_clip import get_model_config, list_models

    from prompt_ensemble.models.open_clip_folders import (
        CONFIG,
        Architecture,
        has_config,
        read_config,
    )

    if name is None and has_config(path):
        return _checked(read_config(path), path / CONFIG)
    known = [model for model in list_models() if model.startswith("coca_ViT")]
    name = name or recognise_architecture(state, known, path)
    if name not in known:
        raise BadConfig(f"architecture {name!r} is no CoCa; {nearest_name(name, known)}")
    return Architecture(get_model_config(name))


def _checked(architecture: Architecture, path: Path) -> Architecture:
    """The architecture, if it is that of a captioner."""
    model = architecture.model
    if "multimodal_cfg" not in model or "hf_model_name" in model.get("text_cfg", {}):
        raise BadWeights(
            f"{path} describes no CoCa with a text tower of its own; expected model_cfg with "
            "vision_cfg, text_cfg and multimodal_cfg as in coca_ViT-L-14"
        )
    return architecture


def recognise_architecture(state: Mapping[str, torch.Tensor], known: list[str], path: Path) -> str:
    """open_clip's name of a network with tensors of these shapes."""
    from open_clip import get_model_config

    from prompt_ensemble.models.open_clip_folders import CONFIG

    patches = state.get("visual.conv1.weight")
    for name in known:
        vision = get_model_config(name)["vision_cfg"]
        if patches is not None and patches.shape[::3] == (vision["width"], vision["patch_size"]):
            return name
    raise BadWeights(
        f"{path} is no CoCa checkpoint known here ({', '.join(known)}); put its {CONFIG} next to it"
    )


def _build(config: Mapping[str, Any], state: dict[str, torch.Tensor], path: Path) -> Any:
    """The network with its tensors, all of them."""
    from open_clip import CoCa

    from prompt_ensemble.models.open_clip_folders import load_clip_state

    parts = ("embed_dim", "multimodal_cfg", "text_cfg", "vision_cfg", "quick_gelu")
    model = CoCa(**without_downloads({part: config[part] for part in parts if part in config}))
    load_clip_state(model, state, path)
    return model.eval()


def read(tokenizer: Any, tokens: list[int]) -> str:
    """Tokens to text, without the blanks that CLIP's vocabulary leaves before marks."""
    text = str(tokenizer.decode([token for token in tokens if token < START]))
    return text.replace(" .", ".").replace(" ,", ",").strip()


def begin(model: Any, pixels: torch.Tensor) -> Decoding:
    """A decoding that has encoded the images once."""
    from prompt_ensemble.members.captioners.coca_decoding import CocaDecoding

    _, image_tokens = model.visual(pixels)
    return CocaDecoding(model, image_tokens)
