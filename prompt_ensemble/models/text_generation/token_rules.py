"""What a model's files say about single tokens: which end a caption, come first, or never come."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prompt_ensemble.core.errors import BadWeights

_UNKNOWN = {
    "bad_words_ids": None,
    "diversity_penalty": 0.0,
    "encoder_no_repeat_ngram_size": 0,
    "encoder_repetition_penalty": 1.0,
    "exponential_decay_length_penalty": None,
    "guidance_scale": 1.0,
    "num_beam_groups": 1,
    "renormalize_logits": False,
    "sequence_bias": None,
}
"""Keys that no search here follows, and the values that ask for nothing."""


@dataclass(frozen=True)
class TokenRules:
    """By default none."""

    more_ends: tuple[int, ...] = ()
    """Tokens that end a caption too, besides the model's end."""
    first: int | None = None
    """What a caption without a prompt must begin with, at no cost."""
    never: tuple[int, ...] = ()
    never_first: tuple[int, ...] = ()
    image: tuple[int, ...] = ()
    """Tokens for the image before the prompt; they count where repeats are looked for,
    and in no length."""

    def opening(self, prompt: int) -> tuple[int, ...]:
        """What comes without being predicted, after a prompt of this many tokens."""
        alone = prompt + len(self.image) == 1
        return (self.first,) if self.first is not None and alone else ()


NO_RULES = TokenRules()


def read_token_rules(
    config: Any, folder: Path, ends: tuple[int, ...], image: tuple[int, ...] = ()
) -> tuple[TokenRules, bool]:
    """The rules in a ``generation_config`` of transformers, and whether a last end is free."""
    _warn_of_unknown(config, folder)
    rules = TokenRules(
        more_ends=ends[1:],
        first=getattr(config, "forced_bos_token_id", None),
        never=tokens(getattr(config, "suppress_tokens", None)),
        never_first=tokens(getattr(config, "begin_suppress_tokens", None)),
        image=image,
    )
    last = tokens(getattr(config, "forced_eos_token_id", None))
    if not set(last) <= set(ends):
        raise BadWeights(
            f"{folder}: forced_eos_token_id={list(last)} would close captions with tokens that do "
            f"not end them (eos_token_id={list(ends)}); mend generation_config.json"
        )
    return rules, bool(last)


def tokens(value: Any) -> tuple[int, ...]:
    """No token, one, or a list of them."""
    if value is None:
        return ()
    return tuple(int(token) for token in (value if isinstance(value, list | tuple) else [value]))


def _warn_of_unknown(config: Any, folder: Path) -> None:
    """Say which wishes of the folder are not followed."""
    asked = [
        name
        for name, nothing in _UNKNOWN.items()
        if getattr(config, name, None) not in (None, nothing)
    ]
    if asked:
        logging.getLogger(__name__).warning(
            "%s: generation_config.json asks for %s, which is not followed here",
            folder,
            ", ".join(asked),
        )
