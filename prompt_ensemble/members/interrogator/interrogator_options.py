"""What an interrogator looks for, and how it becomes a vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from prompt_ensemble.core.errors import BadConfig, nearest_name
from prompt_ensemble.members.interrogator.vocabulary import LISTS, MERGED

LATER = ("composition", "weights")
"""Options of the embedding, which change no output."""


@dataclass(frozen=True)
class InterrogatorOptions:
    """What is looked for, and how it becomes a vector."""

    mode: Literal["classic", "fast", "best", "negative", "caption"] = "fast"
    captions_from: str = ""
    """Name of the member whose captions begin the prompts; empty for prompts of phrases alone."""
    vectors_from: str = ""
    """Name of a member whose vectors say where the images lie, in place of the tower's own look;
    for an embedded tower, which reads texts with the sentence encoder."""
    architecture: str = ""
    """open_clip's name of the weights, with the published tag if they have one:
    ViT-H-14/laion2b_s32b_b79k. Not needed where the model's folder says it."""
    flavors: int | None = None
    """Phrases in a prompt: 32, but in ``classic`` flavors proper: 3."""
    least: int = 8
    """Phrases a chain (``best``, ``negative``) adds even where they lead away for a while."""
    candidates: int = 2048
    """Phrases that chains choose from."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Phrases of each list in ``classic``, one unless named; 0 leaves a list out of every mode."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Cosine below which a list's phrases are left out."""
    lists: Mapping[str, str] = field(default_factory=dict)
    """Files of the user's in place of the package's lists."""
    published: str = ""
    """Folder with clip-interrogator's own cache files, used where they fit."""
    exact_ranking: bool = False
    """Rank in float32 on a GPU too."""
    composition: Literal["prompt", "phrases"] = "prompt"
    """The vector: the assembled prompt's, or the weighted mean of caption's and phrases'."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """For ``phrases``: what a phrase of each list, or the ``caption``, counts; 1 unless named."""


def wanted_lists(options: InterrogatorOptions) -> tuple[str, ...]:
    """The lists a mode looks through."""
    if options.mode == "caption":
        return ()
    if options.mode == "negative":
        return ("flavors", "negative")
    return tuple(name for name in MERGED if options.counts.get(name, 1))


def check_options(options: InterrogatorOptions) -> None:
    """Complain about what makes no sense."""
    _check_tables(options)
    if options.flavors is not None and options.flavors < 1:
        raise BadConfig("flavors must be 1 or more; leave a list out with counts")
    if options.least < 0 or options.candidates < 1:
        raise BadConfig("least must be 0 or more, candidates 1 or more")
    if options.mode == "caption" and not options.captions_from:
        raise BadConfig(
            "mode 'caption' needs captions; name the member that says them with captions_from"
        )
    if options.composition == "phrases" and options.mode in ("best", "negative"):
        raise BadConfig(
            f"composition 'phrases' needs phrases to mix, which mode {options.mode!r} does not "
            "keep apart; use classic or fast, or composition 'prompt'"
        )
    if not wanted_lists(options) and options.mode != "caption":
        raise BadConfig("counts leave out every list; keep at least one")


def _check_tables(options: InterrogatorOptions) -> None:
    """Complain about lists nobody knows, and about what is no number."""
    tables = {
        "counts": (options.counts, LISTS),
        "thresholds": (options.thresholds, LISTS),
        "weights": (options.weights, (*LISTS, "caption")),
    }
    for table, (values, known) in tables.items():
        for name, value in values.items():
            if name not in known:
                raise BadConfig(f"{table}: no list {name!r}; {nearest_name(name, list(known))}")
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise BadConfig(f"{table}: {name} is {value!r}; expected a number")
    if any(not isinstance(count, int) or count < 0 for count in options.counts.values()):
        raise BadConfig("counts must be whole numbers, 0 or more")
