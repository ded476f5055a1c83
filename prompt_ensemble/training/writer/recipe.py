"""The recipe of a prompt writer: every choice that its training depends on."""

from __future__ import annotations

from dataclasses import dataclass

from prompt_ensemble.training.decoder_recipe import DecoderRecipe


@dataclass(frozen=True)
class WriterRecipe(DecoderRecipe):
    """Defaults suit a GPU and some 100,000 prompts; a step costs a CPU many seconds."""

    variants: int = 1
    """Prompts made of each by leaving parts out."""
    least_error: float = 0.3
    most_error: float = 1.1
    """Size of the disturbance, relative to the errors that the regressors made."""
    undisturbed: float = 0.1
    """Share of examples with their true embedding."""
