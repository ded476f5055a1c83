"""How a blend becomes words: the table ``[words]`` of a preset."""

from __future__ import annotations

from dataclasses import dataclass

from prompt_ensemble.core.errors import BadConfig


@dataclass(frozen=True)
class WordsOptions:
    """Where candidates come from, and how they are judged and composed."""

    writer: str = ""
    """Weights of a prompt writer; without one, only captions and known prompts are candidates."""
    phrases: str = ""
    """Weights of phrase vectors; without them nothing is composed."""
    candidates: int = 4
    """Texts drawn from the writer for each image."""
    temperature: float = 0.7
    longest: int = 24
    """Word pieces of a written text at most."""
    fluency: float = 0.02
    """What a nat of log-likelihood per word piece counts, in cosine."""
    rounds: int = 3
    """Phrases that are added at most."""
    tried: int = 2
    """Phrases that are tried in a round."""
    gain: float = 0.005
    """Cosine that a phrase must bring."""

    def __post_init__(self) -> None:
        if self.candidates < 1 or self.temperature <= 0 or min(self.rounds, self.tried) < 0:
            raise BadConfig(
                "[words]: candidates must be 1 or more, temperature above 0, rounds and tried 0 or "
                "more"
            )
