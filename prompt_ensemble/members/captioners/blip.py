"""BLIP, base or large: as a transformers folder, or as the authors' single ``.pth`` file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.members.captioners.caption_predictor import CaptionOptions, CaptionPredictor
from prompt_ensemble.models.text_generation.generation import Generation

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from prompt_ensemble.images.preprocessing import Preprocessing
    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.text_generation.captioner import Captioner
    from prompt_ensemble.models.text_generation.decoding import Decoding

CHECKPOINT = "model_*caption*.pth"
"""What the authors call their caption checkpoints."""
ORIGINAL_PROMPT = "a picture of "
"""Words the authors put into the model's mouth; they are not part of the caption."""


@dataclass(frozen=True)
class BlipOptions(CaptionOptions):
    """BLIP's own option."""

    prompt: str | None = None
    """Words every caption begins with, unsaid. None: "a picture of " for the authors' file, and
    nothing for a transformers folder, as each is published."""


class BlipPredictor(CaptionPredictor):
    """Finds out which of the two it is."""

    stored_as = "prompt_ensemble.captioners.blip:BlipPredictor"
    Options: ClassVar[type[BlipOptions]] = BlipOptions
    model_type: ClassVar[str] = "blip"
    default_weights: ClassVar[str] = "blip-image-captioning-large"
    published = Generation(num_beams=3, max_length=20, min_length=5)
    """The authors' configuration for COCO captions."""
    options: BlipOptions

    def check(self) -> None:
        """A folder is checked as one of transformers; the authors' file says all itself."""
        if not find_checkpoint(self.path):
            super().check()

    def load(self, placement: Placement) -> Captioner:
        """The network on the device, with its recipe and tokenizer."""
        from prompt_ensemble.models.text_generation.searching_captioner import SearchingCaptioner
        from prompt_ensemble.models.text_generation.token_rules import read_token_rules
        from prompt_ensemble.models.transformers_folders import reader

        checkpoint = find_checkpoint(self.path)
        parts = self.from_checkpoint(checkpoint) if checkpoint else self.from_folder()
        model, preprocessing, tokenizer = parts
        prompt = self.options.prompt
        if prompt is None:
            prompt = ORIGINAL_PROMPT if checkpoint else ""
        text = model.config.text_config
        rules, end_is_free = read_token_rules(
            getattr(model, "generation_config", None), self.path, (text.sep_token_id,)
        )
        return SearchingCaptioner(
            preprocessing,
            partial(begin, model.to(placement.device)),
            prompt=[text.bos_token_id, *tokenizer(prompt, add_special_tokens=False).input_ids],
            end=text.sep_token_id,  # whatever generation_config.json calls one, as in generate
            read=reader(tokenizer),
            generation=self.generation,
            longest=text.max_position_embeddings,
            rules=rules,
            end_is_free=end_is_free,
        )

    def from_folder(self) -> tuple[Any, Preprocessing, PreTrainedTokenizerBase]:
        """All from a transformers folder."""
        from transformers import BlipForConditionalGeneration

        from prompt_ensemble.models.transformers_folders import (
            load_model,
            load_preprocessing,
            load_tokenizer,
        )

        model = load_model(BlipForConditionalGeneration, self.path, self.model_type)
        return model, load_preprocessing(self.path), load_tokenizer(self.path)

    def from_checkpoint(
        self, checkpoint: Path
    ) -> tuple[Any, Preprocessing, PreTrainedTokenizerBase]:
        """Network from the authors' file, recipe from their code, words beside it or BERT's."""
        from prompt_ensemble.images.preprocessing import CLIP_MEAN, CLIP_STD, Preprocessing
        from prompt_ensemble.members.captioners.blip_checkpoint import load_blip_checkpoint
        from prompt_ensemble.models.sentence_encoder import DEFAULT_ENCODER
        from prompt_ensemble.models.transformers_folders import load_tokenizer

        model = load_blip_checkpoint(checkpoint)
        side = model.config.vision_config.image_size
        beside = checkpoint.parent
        has_words = (beside / "vocab.txt").exists() or (beside / "tokenizer.json").exists()
        # MiniLM is a BERT too and carries the same vocabulary.
        words = beside if has_words else self.roots.find(DEFAULT_ENCODER).path
        return model, Preprocessing(side, side, CLIP_MEAN, CLIP_STD), load_tokenizer(words)


def find_checkpoint(path: Path) -> Path | None:
    """The authors' file at or in ``path``; None for a transformers folder."""
    if path.is_file():
        return path
    if (path / "config.json").exists():
        return None
    found = sorted(path.glob(CHECKPOINT))
    if len(found) != 1:
        raise BadWeights(
            f"{path} holds {len(found)} files {CHECKPOINT} and no config.json; expected a "
            "transformers folder or exactly one of the authors' checkpoints"
        )
    return found[0]


def begin(model: Any, pixels: torch.Tensor) -> Decoding:
    """A decoding that has looked at the images once."""
    from prompt_ensemble.members.captioners.blip_vision import look
    from prompt_ensemble.models.text_generation.bert_decoding import CrossDecoding, project

    seen = look(model.vision_model, pixels)
    text = model.text_decoder
    layers = text.bert.encoder.layer
    memory = [project(layer.crossattention.self, seen) for layer in layers]
    return CrossDecoding(layers, text.bert.embeddings, text.cls, memory)
