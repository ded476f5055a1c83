"""What may come next: rules that change logits, in the order of transformers' ``generate``."""

from __future__ import annotations

import torch

from prompt_ensemble.models.text_generation.generation import Generation
from prompt_ensemble.models.text_generation.token_bans import (
    ban_repeats,
    ban_words,
    discourage_repeats,
)
from prompt_ensemble.models.text_generation.token_rules import TokenRules


class LogitRules:
    """The user's options and the rules of the model's files, on the device from the start."""

    def __init__(
        self, prompt: torch.Tensor, end: int, generation: Generation, rules: TokenRules
    ) -> None:
        def on_device(words: tuple[int, ...]) -> torch.Tensor:
            return torch.tensor(words, dtype=torch.long, device=prompt.device)

        self.generation = generation
        self.end = end
        self.prompt_length = prompt.shape[1]
        """Tokens that belong to no caption; what a rule puts after them does."""
        opening = on_device(rules.opening(self.prompt_length)).expand(len(prompt), -1)
        self.prompt = torch.cat([prompt, opening], 1)
        self.ends = on_device((end, *rules.more_ends))
        self.never = on_device(rules.never)
        self.never_first = on_device(rules.never_first)
        self.image = on_device(rules.image)

    def apply(self, scores: torch.Tensor, tokens: torch.Tensor) -> None:
        """Change ``(R, V)`` scores of what follows ``(R, T)`` tokens, in place."""
        length, generation = tokens.shape[1], self.generation
        earlier = torch.cat([self.image.expand(len(tokens), -1), tokens], 1)
        discourage_repeats(scores, earlier, generation.repetition_penalty)
        ban_repeats(scores, earlier, generation.no_repeat_ngram_size)
        if length < generation.min_length:
            ban_words(scores, self.ends)
        ban_words(scores, self.never)
        if length == self.prompt.shape[1]:
            ban_words(scores, self.never_first)

    def ended(self, words: torch.Tensor) -> torch.Tensor:
        """Which words end a caption."""
        return (words.unsqueeze(-1) == self.ends).any(-1)
