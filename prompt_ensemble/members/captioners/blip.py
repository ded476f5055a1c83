"""BLIP, base or large: as a transformers folder, or as the authors' single ``.pth`` file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from prompt_ensemble.core.errors import BadWeights
from prompt_ensemble.members.captioners.caption_predictor import CaptionOptions
from prompt_ensemble.members.captioners.transformers_captioner import (
    Decoder,
    TransformersCaptioner,
)
from prompt_ensemble.members.captioners.tunable_captioner import Published
from prompt_ensemble.models.text_generation.generation import Generation

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.text_generation.decoding import Decoding

_CHECKPOINT = "model_*caption*.pth"
"""What the authors call their caption checkpoints."""
_ORIGINAL_PROMPT = "a picture of "
"""Words that the authors let every caption continue; they are not part of it."""


@dataclass(frozen=True)
class _BlipOptions(CaptionOptions):
    """BLIP's own option."""

    prompt: str | None = None
    """Words that every caption continues without containing them. None: "a picture of " for the
    authors' file, and nothing for a transformers folder, as each is published."""


class BlipPredictor(TransformersCaptioner):
    """BLIP in either of its two forms."""

    stored_as = "prompt_ensemble.captioners.blip:BlipPredictor"
    Options: ClassVar[type[_BlipOptions]] = _BlipOptions
    model_type: ClassVar[str] = "blip"
    model_class: ClassVar[str] = "BlipForConditionalGeneration"
    default_weights: ClassVar[str] = "blip-image-captioning-large"
    published = Generation(num_beams=3, max_length=20, min_length=5)
    """The authors' configuration for COCO captions."""
    options: _BlipOptions

    def check(self) -> None:
        """A folder is checked as one of transformers; the authors' file says all itself."""
        if not find_checkpoint(self.path):
            super().check()

    def read(self, placement: Placement) -> Published:
        """Network, preprocessing and tokenizer, from whichever of the two it is."""
        checkpoint = find_checkpoint(self.path)
        return self._read_checkpoint(checkpoint) if checkpoint else super().read(placement)

    def decoder(self, model: Any, tokenizer: PreTrainedTokenizerBase) -> Decoder:
        """The text decoder, which attends to the vision tower's states."""
        text, prompt = model.config.text_config, self.options.prompt
        if prompt is None:
            prompt = _ORIGINAL_PROMPT if find_checkpoint(self.path) else ""
        words = tokenizer(prompt, add_special_tokens=False).input_ids
        # As in generate the separator ends a caption, whatever generation_config.json says.
        ends = (text.sep_token_id,)
        prompt_tokens = (text.bos_token_id, *words)
        return Decoder(partial(begin, model), prompt_tokens, ends, text.max_position_embeddings)

    def logits(
        self, published: Published, pixels: torch.Tensor, tokens: torch.Tensor
    ) -> torch.Tensor:
        """The text decoder attends to the vision tower's states."""
        model = published.model
        states = model.vision_model(pixels).last_hidden_state
        logits: torch.Tensor = model.text_decoder(tokens, encoder_hidden_states=states).logits
        return logits

    def _read_checkpoint(self, checkpoint: Path) -> Published:
        """Network from the authors' file, preprocessing as in their code, words from its folder."""
        from prompt_ensemble.images.preprocessing import CLIP_MEAN, CLIP_STD, Preprocessing
        from prompt_ensemble.members.captioners.blip_checkpoint import load_blip_checkpoint
        from prompt_ensemble.models.sentence_encoder import DEFAULT_ENCODER
        from prompt_ensemble.models.transformers_folders import load_tokenizer

        model = load_blip_checkpoint(checkpoint)
        side = model.config.vision_config.image_size
        folder = checkpoint.parent
        if not ((folder / "vocab.txt").exists() or (folder / "tokenizer.json").exists()):
            # MiniLM is a BERT too and carries the same vocabulary.
            folder = self.roots.find(DEFAULT_ENCODER).path
        recipe = Preprocessing(side, side, CLIP_MEAN, CLIP_STD)
        return Published(model, recipe, load_tokenizer(folder))


def find_checkpoint(path: Path) -> Path | None:
    """The authors' file at or in ``path``; None for a transformers folder."""
    if path.is_file():
        return path
    if (path / "config.json").exists():
        return None
    files = sorted(path.glob(_CHECKPOINT))
    if len(files) != 1:
        raise BadWeights(
            f"{path} holds {len(files)} files {_CHECKPOINT} and no config.json; expected a "
            "transformers folder or exactly one of the authors' checkpoints"
        )
    return files[0]


def begin(model: Any, pixels: torch.Tensor) -> Decoding:
    """A decoding that has encoded the images once."""
    from prompt_ensemble.members.captioners.blip_vision import encode_images
    from prompt_ensemble.models.text_generation.bert_decoding import CrossDecoding, project

    states = encode_images(model.vision_model, pixels)
    text = model.text_decoder
    layers = text.bert.encoder.layer
    memory = [project(layer.crossattention.self, states) for layer in layers]
    return CrossDecoding(layers, text.bert.embeddings, text.cls, memory)
