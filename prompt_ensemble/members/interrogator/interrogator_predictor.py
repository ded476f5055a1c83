"""CLIP-Interrogator as a member: captions of another member, and phrases near to the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Literal

import numpy as np

from prompt_ensemble.core.embeddings import Embeddings, Encode
from prompt_ensemble.core.errors import BadConfig, nearest_name
from prompt_ensemble.core.outputs import Line, Outputs
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.members.contract import Batch, OpenedModel, Predictor
from prompt_ensemble.members.interrogator.vocabulary import LISTS, MERGED, load_vocabulary
from prompt_ensemble.models.two_sided_towers.tower_source import find_tower

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from prompt_ensemble.members.interrogator.interrogator import (
        Interrogation,
        Interrogator,
        SearchSettings,
    )
    from prompt_ensemble.models.device import Placement
    from prompt_ensemble.models.weights import WeightRoots

EMBEDDED_TOWER = "embedded-lites"
LATER = ("composition", "weights")
"""Options that only matter once an image has been looked at."""


@dataclass(frozen=True)
class InterrogatorOptions:
    """What is looked for, and how it becomes a vector."""

    mode: Literal["classic", "fast", "best", "negative", "caption"] = "fast"
    captions_from: str = ""
    """Name of the member whose captions begin the prompts; empty: prompts of phrases alone."""
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
    """Cosine below which a list's phrases are not said."""
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


class InterrogatorPredictor(Predictor):
    """Finds the tower and the lists; loads neither."""

    Options = InterrogatorOptions
    options: InterrogatorOptions

    def __init__(self, weights: str, options: InterrogatorOptions, roots: WeightRoots) -> None:
        super().__init__(weights, options, roots)
        check_options(options)
        self.roots = roots
        self.tower = find_tower(weights or EMBEDDED_TOWER, options.architecture, roots)
        whole = load_vocabulary(options.lists)
        self.lists = {name: whole[name] for name in wanted_lists(options)}
        self.progress: Progress = silent

    @cached_property
    def tower_digest(self) -> str:
        """Digest of the tower's files."""
        return self.tower.digest()

    def identity(self) -> Mapping[str, object]:
        """Tower, lists and all options but those of the embedding."""
        chosen = {key: value for key, value in asdict(self.options).items() if key not in LATER}
        digests = {name: phrases.digest for name, phrases in self.lists.items()}
        return chosen | {"lists": digests, "tower": self.tower_digest}

    def needs(self) -> tuple[str, ...]:
        """The member whose captions begin the prompts."""
        return (self.options.captions_from,) if self.options.captions_from else ()

    def open(self, placement: Placement) -> OpenedModel:
        """Tower and banks on the device; banks not in the cache are embedded now."""
        from prompt_ensemble.members.interrogator.interrogator import Interrogator
        from prompt_ensemble.members.interrogator.phrase_tables import stand
        from prompt_ensemble.members.interrogator.tower_banks import open_banks, row_type
        from prompt_ensemble.models.two_sided_towers.tower_source import load_tower

        tower = load_tower(self.tower, placement, self.roots)
        banks = open_banks(tower, self.tower, self.lists, self.options, self.progress)
        # Merged lists first, so that they are one piece of the matrix.
        merged, tables = stand(
            [bank for bank in banks if bank.name in MERGED],
            placement.device,
            row_type(placement, self.options.exact_ranking),
        )
        extra = {
            bank.name: stand([bank], placement.device, merged.rows.dtype)[0]
            for bank in banks
            if bank.name not in MERGED
        }
        whole = Interrogator(tower, merged, {**tables, **extra}, settings(self.options))
        return OpenedInterrogator(whole, self.options.captions_from, self.options.mode)

    def embed(self, outputs: Outputs, encode: Encode) -> Embeddings:
        """The assembled prompts' embeddings, or means of their parts'."""
        if self.options.composition == "prompt":
            return Embeddings.of(outputs.image_ids, encode([prompt_of(r) for r in outputs.lines]))
        texts = [[line for line in row if line.kind != "prompt"] for row in outputs.lines]
        vectors = encode([line.text for row in texts for line in row])
        weights = np.array([self.weight(line) for row in texts for line in row], np.float32)
        ends = list(accumulate(len(row) for row in texts))
        weighted = vectors * weights[:, None]
        rows = [weighted[end - len(row) : end].sum(0) for row, end in zip(texts, ends, strict=True)]
        return Embeddings.of(outputs.image_ids, np.stack(rows) if rows else vectors[:0])

    def weight(self, line: Line) -> float:
        """What a caption or phrase counts in a mean."""
        name = line.kind if line.kind in ("caption", "negative") else f"{line.kind}s"
        return self.options.weights.get(name, 1.0)


class OpenedInterrogator(OpenedModel):
    """An interrogator on its device."""

    def __init__(self, whole: Interrogator, captions_from: str, mode: str) -> None:
        self.whole = whole
        self.captions_from = captions_from
        self.mode = mode

    def prepare(self, image: Image.Image) -> tuple[torch.Tensor, ...]:
        """The one view, as the tower wants it."""
        return (self.whole.tower.recipe.prepare(image),)

    def run(self, batch: Batch) -> Outputs:
        """Prompts of a batch, and what they are made of."""
        import torch

        images = self.whole.tower.encode_images(batch.views[0])
        captions = self.captions_of(batch)
        texts = [caption.text if caption else "" for caption in captions]
        # The towers choose their precision themselves, and so does the ranking.
        with torch.autocast(images.device.type, enabled=False):
            made = self.interrogate(images, texts)
        rows = zip(made, captions, strict=True)
        return Outputs.of_lines(batch.image_ids, [lines_of(one, caption) for one, caption in rows])

    def interrogate(self, images: torch.Tensor, captions: Sequence[str]) -> list[Interrogation]:
        """In the mode that was asked for."""
        modes = {
            "classic": self.whole.classic,
            "fast": self.whole.fast,
            "best": self.whole.best,
            "negative": self.whole.negative,
            "caption": self.whole.caption,
        }
        return modes[self.mode](images, captions)

    def captions_of(self, batch: Batch) -> list[Line | None]:
        """The best caption of each image; None where nobody captions."""
        if not self.captions_from:
            return [None] * len(batch.image_ids)
        rows = batch.needed[self.captions_from].lines
        return [next((line for line in row if line.kind == "caption"), None) for row in rows]


def lines_of(made: Interrogation, caption: Line | None) -> list[Line]:
    """Prompt, caption, and phrases by the name of their lists, in the singular."""
    phrases = [Line(one.source.removesuffix("s"), one.text, one.cosine) for one in made.phrases]
    begun = [Line("caption", caption.text, caption.score)] if caption else []
    return [Line("prompt", made.prompt, made.cosine), *begun, *phrases]


def prompt_of(lines: Sequence[Line]) -> str:
    """The assembled prompt among an image's lines."""
    return next(line.text for line in lines if line.kind == "prompt")


def wanted_lists(options: InterrogatorOptions) -> tuple[str, ...]:
    """The lists a mode looks through."""
    if options.mode == "caption":
        return ()
    if options.mode == "negative":
        return ("flavors", "negative")
    return tuple(name for name in MERGED if options.counts.get(name, 1))


def settings(options: InterrogatorOptions) -> SearchSettings:
    """The options as the interrogator takes them."""
    from prompt_ensemble.members.interrogator.interrogator import CLASSIC_FLAVORS, SearchSettings

    flavors = options.flavors or (CLASSIC_FLAVORS if options.mode == "classic" else 32)
    return SearchSettings(
        flavors, options.counts, options.thresholds, options.least, options.candidates
    )


def check_options(options: InterrogatorOptions) -> None:
    """Complain about what makes no sense."""
    check_tables(options)
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


def check_tables(options: InterrogatorOptions) -> None:
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
