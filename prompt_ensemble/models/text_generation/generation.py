"""How captions are generated: what the user asked for, over what the model's authors published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Literal

from prompt_ensemble.core.errors import BadConfig

STOPPING = (False, True, "never")
_TWINS = {"max_length": "max_new_tokens", "min_length": "min_new_tokens"}
"""Lengths with the prompt, and without it; the latter counts where both are given."""


@dataclass(frozen=True)
class GenerationOptions:
    """What the user sets; None leaves the model's published value."""

    num_beams: int | None = None
    max_length: int | None = None
    """Tokens including the start token and any words put into the model's mouth."""
    max_new_tokens: int | None = None
    """Tokens without those; goes above ``max_length``."""
    min_length: int | None = None
    min_new_tokens: int | None = None
    """Words before the end, the prompt's not counted; goes above ``min_length``."""
    no_repeat_ngram_size: int | None = None
    repetition_penalty: float | None = None
    length_penalty: float | None = None
    early_stopping: Literal[False, True, "never"] | None = None
    """``true`` is content with the first captions, ``"never"`` goes on while one may be beaten."""
    scoring: Literal["current", "2023"] | None = None
    """How beams are scored and stopped: as transformers does now, or as it did in 2023."""
    do_sample: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    num_return_sequences: int | None = None


@dataclass(frozen=True)
class Generation:
    """Settled values. The defaults are greedy search; each model declares its own."""

    num_beams: int = 1
    max_length: int = 20
    min_length: int = 0
    max_new_tokens: int | None = None
    min_new_tokens: int | None = None
    no_repeat_ngram_size: int = 0
    repetition_penalty: float = 1.0
    length_penalty: float = 1.0
    early_stopping: Literal[False, True, "never"] = False
    scoring: Literal["current", "2023"] = "current"
    do_sample: bool = False
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int = 0
    num_return_sequences: int = 1

    def __post_init__(self) -> None:
        for wrong, advice in _faults(self):
            if wrong:
                raise BadConfig(f"generation options make no sense: {advice}; got {self.as_text()}")

    def overridden(self, options: GenerationOptions) -> Generation:
        """These values, where the user has not set others."""
        return self.under(
            {
                field.name: value
                for field in fields(GenerationOptions)
                if (value := getattr(options, field.name)) is not None
            }
        )

    def under(self, above: Mapping[str, object]) -> Generation:
        """These values, and others above them: a length goes above its twin as well."""
        twins = {_TWINS[name]: None for name in above if name in _TWINS}
        return Generation(**(asdict(self) | twins | dict(above)))

    def settled(self, prompt: int) -> Generation:
        """All lengths counted from the start, for captions that begin with ``prompt`` tokens."""
        longest, shortest = self.max_new_tokens, self.min_new_tokens
        return replace(
            self,
            max_length=self.max_length if longest is None else prompt + longest,
            min_length=self.min_length if shortest is None else prompt + shortest,
            max_new_tokens=None,
            min_new_tokens=None,
        )

    def as_text(self) -> str:
        """All values in one line, as ``--set`` takes them."""
        return _in_one_line(asdict(self))

    def brief(self) -> str:
        """The same, without what is as in a plain greedy search, beams and length always."""
        plain = asdict(Generation())
        values = asdict(self)
        for name, twin in _TWINS.items():
            if values[twin] is not None:
                del values[name]
        return _in_one_line(
            {
                name: value
                for name, value in values.items()
                if value != plain[name] or name in ("num_beams", "max_length")
            }
        )


def _in_one_line(values: Mapping[str, object]) -> str:
    """Names and values in one line."""
    return ", ".join(f"{name}={value}" for name, value in values.items() if value is not None)


def _faults(generation: Generation) -> list[tuple[bool, str]]:
    """Each rule a generation must keep, and whether it is broken."""
    g = generation
    return [
        (min(g.num_beams, g.num_return_sequences) < 1, "at least one beam and one caption"),
        (g.do_sample and g.num_beams > 1, "sampling takes num_beams=1"),
        (
            not g.do_sample and g.num_return_sequences > g.num_beams,
            "without do_sample no more captions (num_return_sequences) than num_beams",
        ),
        *_length_faults(g),
        (g.no_repeat_ngram_size < 0, "no_repeat_ngram_size must not be negative (0 is off)"),
        (g.repetition_penalty <= 0, "repetition_penalty must be above 0 (1 is off)"),
        (g.early_stopping not in STOPPING, "early_stopping is one of false, true, 'never'"),
        (g.temperature <= 0, "temperature must be above 0"),
        (not 0 < g.top_p <= 1, "0 < top_p <= 1"),
    ]


def _length_faults(generation: Generation) -> list[tuple[bool, str]]:
    """The rules of the lengths; those of different counting meet once the prompt is known."""
    g = generation
    longest, shortest = g.max_new_tokens, g.min_new_tokens
    plain = longest is None and shortest is None
    return [
        (plain and not 0 <= g.min_length < g.max_length, "0 <= min_length < max_length"),
        (longest is not None and longest < 1, "max_new_tokens must be at least 1"),
        (shortest is not None and shortest < 0, "min_new_tokens must not be negative"),
        (
            longest is not None and shortest is not None and shortest >= longest,
            "min_new_tokens < max_new_tokens",
        ),
    ]
