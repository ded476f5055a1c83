"""The one way in which captioners that transformers builds are loaded from their folders."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from prompt_ensemble.members.captioners.tunable_captioner import Published, TunableCaptioner

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.text_generation.decoding import Decoding
    from prompt_ensemble.models.text_generation.searching_captioner import SearchingCaptioner


@dataclass(frozen=True)
class Decoder:
    """How one network begins, continues and ends a caption."""

    begin: Callable[[torch.Tensor], Decoding]
    """Normalised pixels to a decoding that has encoded the images once."""
    prompt: tuple[int, ...]
    """The start token, and words that every caption begins with and none contains."""
    ends: tuple[int, ...]
    """Tokens that end a caption, the usual one first."""
    longest: int
    """Tokens that the network has positions for."""
    image: tuple[int, ...] = ()
    """Tokens for the image before the prompt."""


class TransformersCaptioner(TunableCaptioner):
    """Loads the folder; a subclass says which class it holds and how that decodes."""

    model_class: ClassVar[str] = ""
    """The name of its class in transformers."""

    def searching(self, published: Published) -> SearchingCaptioner:
        """The network with its tokenizer, and the rules of the folder's files."""
        from prompt_ensemble.models.text_generation.searching_captioner import SearchingCaptioner
        from prompt_ensemble.models.text_generation.token_rules import read_token_rules
        from prompt_ensemble.models.transformers_folders import reader

        model, tokenizer = published.model, published.tokenizer
        decoder = self.decoder(model, tokenizer)
        rules, end_is_free = read_token_rules(
            getattr(model, "generation_config", None), self.path, decoder.ends, decoder.image
        )
        return SearchingCaptioner(
            published.preprocessing,
            decoder.begin,
            prompt=decoder.prompt,
            end=decoder.ends[0],
            read=reader(tokenizer),
            generation=self.generation,
            longest=decoder.longest,
            rules=rules,
            end_is_free=end_is_free,
        )

    def read(self, placement: Placement) -> Published:
        """What the folder's files hold."""
        import transformers

        from prompt_ensemble.models.transformers_folders import (
            load_model,
            load_preprocessing,
            load_tokenizer,
        )

        kind = getattr(transformers, self.model_class)
        model = load_model(kind, self.path, self.model_type, self.weights_type(placement))
        return Published(model, load_preprocessing(self.path), load_tokenizer(self.path))

    def pieces(self, published: Published, text: str) -> list[int]:
        """As the tokenizer cuts it."""
        tokens: list[int] = published.tokenizer(text, add_special_tokens=False).input_ids
        return tokens

    def weights_type(self, placement: Placement) -> torch.dtype | None:
        """The type the weights are kept in; None for float32, on which autocast works."""
        return None

    @abstractmethod
    def decoder(self, model: Any, tokenizer: PreTrainedTokenizerBase) -> Decoder:
        """How the loaded network captions."""
