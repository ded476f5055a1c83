"""CLIP-Interrogator as a member: captions of another member, and phrases near to the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from prompt_ensemble.core.embeddings import Embeddings, Encode, unit_rows
from prompt_ensemble.core.errors import BadConfig, MissingWeights
from prompt_ensemble.core.outputs import Line, Outputs
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.members.contract import Batch, OpenedModel, Predictor
from prompt_ensemble.members.interrogator.interrogator_options import (
    LATER,
    InterrogatorOptions,
    check_options,
    wanted_lists,
)
from prompt_ensemble.members.interrogator.vocabulary import MERGED, load_vocabulary
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

_EMBEDDED_TOWERS = ("embedded-clip", "embedded-lites")
"""The best first; its published backbone may not be installed."""


class InterrogatorPredictor(Predictor):
    """Finds the tower and the lists; loads neither."""

    Options = InterrogatorOptions
    options: InterrogatorOptions

    def __init__(self, weights: str, options: InterrogatorOptions, roots: WeightRoots) -> None:
        super().__init__(weights, options, roots)
        check_options(options)
        self.roots = roots
        self.tower = find_tower(weights or _embedded_tower(roots), options.architecture, roots)
        if options.vectors_from and self.tower.kind != "embedded":
            raise BadConfig(
                f"vectors of {options.vectors_from!r} mean nothing to the tower in "
                f"{self.tower.path}; leave out vectors_from, or the tower's weights"
            )
        whole = load_vocabulary(options.lists)
        self.lists = {name: whole[name] for name in wanted_lists(options)}

    @cached_property
    def tower_digest(self) -> str:
        """Digest of the tower's files."""
        return self.tower.digest()

    def identity(self) -> Mapping[str, object]:
        """Tower, lists and all options but those of the embedding."""
        chosen = {key: value for key, value in asdict(self.options).items() if key not in LATER}
        if not self.options.vectors_from:  # keys of stores from before there was the option
            del chosen["vectors_from"]
        digests = {name: phrases.digest for name, phrases in self.lists.items()}
        return chosen | {"lists": digests, "tower": self.tower_digest}

    def needs(self) -> tuple[str, ...]:
        """The members whose captions begin the prompts, and whose vectors are looked up."""
        named = (self.options.captions_from, self.options.vectors_from)
        return tuple(dict.fromkeys(name for name in named if name))

    def open(self, placement: Placement, progress: Progress = silent) -> OpenedModel:
        """Tower and banks on the device; banks not in the cache are embedded now."""
        from prompt_ensemble.members.interrogator.interrogator import Interrogator
        from prompt_ensemble.members.interrogator.phrase_tables import stack_banks
        from prompt_ensemble.members.interrogator.tower_banks import open_banks, row_type
        from prompt_ensemble.models.two_sided_towers.tower_source import load_tower

        tower = load_tower(self.tower, placement, self.roots)
        banks = open_banks(tower, self.tower, self.lists, self.options, progress)
        # Merged lists first, so that they are one piece of the matrix.
        merged, tables = stack_banks(
            [bank for bank in banks if bank.name in MERGED],
            placement.device,
            row_type(placement, self.options.exact_ranking),
        )
        extra = {
            bank.name: stack_banks([bank], placement.device, merged.rows.dtype)[0]
            for bank in banks
            if bank.name not in MERGED
        }
        whole = Interrogator(tower, merged, {**tables, **extra}, _search_settings(self.options))
        return _OpenedInterrogator(whole, self.options, placement.device)

    def embed(self, outputs: Outputs, encode: Encode) -> Embeddings:
        """The assembled prompts' embeddings, or means of their parts'."""
        if self.options.composition == "prompt":
            return Embeddings.of(outputs.image_ids, encode([_prompt(r) for r in outputs.lines]))
        texts = [[line for line in row if line.kind != "prompt"] for row in outputs.lines]
        vectors = encode([line.text for row in texts for line in row])
        weights = np.array([self._weight(line) for row in texts for line in row], np.float32)
        ends = list(accumulate(len(row) for row in texts))
        weighted = vectors * weights[:, None]
        rows = [weighted[end - len(row) : end].sum(0) for row, end in zip(texts, ends, strict=True)]
        return Embeddings.of(outputs.image_ids, np.stack(rows) if rows else vectors[:0])

    def _weight(self, line: Line) -> float:
        """What a caption or phrase counts in a mean."""
        name = line.kind if line.kind in ("caption", "negative") else f"{line.kind}s"
        return self.options.weights.get(name, 1.0)


def _embedded_tower(roots: WeightRoots) -> str:
    """The best embedded tower whose backbone is there."""
    from prompt_ensemble.models.regressor.regressor_folder import read_card

    *better, last = _EMBEDDED_TOWERS
    for name in better:
        try:
            for backbone in read_card(roots.find(name).path).tower.backbones:
                roots.locate(backbone)
        except MissingWeights:
            continue
        return name
    return last


class _OpenedInterrogator(OpenedModel):
    """An interrogator on its device."""

    def __init__(
        self, whole: Interrogator, options: InterrogatorOptions, device: torch.device
    ) -> None:
        self.whole = whole
        self.device = device
        self.reads_pixels = not options.vectors_from
        self.captions_from = options.captions_from
        self.vectors_from = options.vectors_from
        self.mode = options.mode

    def prepare(self, image: Image.Image) -> tuple[torch.Tensor, ...]:
        """The one view, as the tower wants it."""
        return (self.whole.tower.recipe.prepare(image),)

    def run(self, batch: Batch) -> Outputs:
        """Prompts of a batch, and what they are made of."""
        import torch

        images = self._rows(batch)
        captions = self._captions(batch)
        texts = [caption.text if caption else "" for caption in captions]
        # The towers choose their precision themselves, and so does the ranking.
        with torch.autocast(images.device.type, enabled=False):
            results = self._interrogate(images, texts)
        rows = zip(results, captions, strict=True)
        return Outputs.of_lines(batch.image_ids, [_lines(*row) for row in rows])

    def _rows(self, batch: Batch) -> torch.Tensor:
        """Where the images lie: by the tower's own look, or by another member's vectors."""
        import torch

        if not self.vectors_from:
            return self.whole.tower.encode_images(batch.views[0])
        rows = unit_rows(batch.needed[self.vectors_from].vectors)
        return torch.from_numpy(rows).to(self.device)

    def _interrogate(self, images: torch.Tensor, captions: Sequence[str]) -> list[Interrogation]:
        """In the mode that was asked for."""
        modes = {
            "classic": self.whole.classic,
            "fast": self.whole.fast,
            "best": self.whole.best,
            "negative": self.whole.negative,
            "caption": self.whole.caption,
        }
        return modes[self.mode](images, captions)

    def _captions(self, batch: Batch) -> list[Line | None]:
        """The best caption of each image; None where no member captions."""
        if not self.captions_from:
            return [None] * len(batch.image_ids)
        rows = batch.needed[self.captions_from].lines
        return [next((line for line in row if line.kind == "caption"), None) for row in rows]


def _lines(result: Interrogation, caption: Line | None) -> list[Line]:
    """Prompt, caption, and phrases by the name of their lists, in the singular."""
    phrases = [replace(line, kind=line.kind.removesuffix("s")) for line in result.phrases]
    captions = [Line("caption", caption.text, caption.score)] if caption else []
    return [Line("prompt", result.prompt, result.cosine), *captions, *phrases]


def _prompt(lines: Sequence[Line]) -> str:
    """The assembled prompt among an image's lines."""
    return next(line.text for line in lines if line.kind == "prompt")


def _search_settings(options: InterrogatorOptions) -> SearchSettings:
    """The options as the interrogator takes them."""
    from prompt_ensemble.members.interrogator.interrogator import CLASSIC_FLAVORS, SearchSettings

    flavors = options.flavors or (CLASSIC_FLAVORS if options.mode == "classic" else 32)
    return SearchSettings(
        flavors, options.counts, options.thresholds, options.least, options.candidates
    )
