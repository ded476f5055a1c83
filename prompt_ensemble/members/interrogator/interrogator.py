"""Images to prompts in the ways of clip-interrogator, a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from prompt_ensemble.core.outputs import Line
from prompt_ensemble.members.interrogator.chain import ChainLimits, grow_chain
from prompt_ensemble.members.interrogator.phrase_tables import PhraseTable
from prompt_ensemble.members.interrogator.prompt_assembly import classic_prompt, fast_prompt, fit
from prompt_ensemble.members.interrogator.vocabulary import MERGED
from prompt_ensemble.models.two_sided_towers.two_sided_tower import TwoSidedTower

CLASSIC_FLAVORS = 3


@dataclass(frozen=True)
class SearchSettings:
    """How many phrases a prompt gets, and how near they must be."""

    flavors: int = 32
    """In ``fast``, ``best`` and ``negative``; ``classic`` takes as many flavors proper."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Phrases that ``classic`` takes of each list; one of those not named."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Cosine below which a list's phrases are left out."""
    least: int = 8
    """Phrases a chain adds even where they lead away for a while."""
    candidates: int = 2048
    """Phrases that chains choose from."""

    @property
    def limits(self) -> ChainLimits:
        """How long chains grow."""
        return ChainLimits(self.least, self.flavors)

    def near_enough(self, row: Sequence[Line]) -> list[Line]:
        """The phrases of one image that are not below their list's threshold."""
        return [line for line in row if line.score >= self.thresholds.get(line.kind, -2.0)]


@dataclass(frozen=True)
class Interrogation:
    """The prompt of one image, and what it is made of."""

    prompt: str
    cosine: float
    """Of the prompt where its mode measures that (``best``, ``negative``), else the mean of its
    phrases' cosines; 0 without any."""
    phrases: tuple[Line, ...] = ()


@dataclass(frozen=True, eq=False)
class Interrogator:
    """A tower and its phrases; ``images`` are rows ``(B, D)``, captions may be empty."""

    tower: TwoSidedTower
    merged: PhraseTable
    tables: Mapping[str, PhraseTable]
    settings: SearchSettings

    def fast(self, images: torch.Tensor, captions: Sequence[str]) -> list[Interrogation]:
        """Caption, and the nearest phrases of all lists together."""
        near = self._nearest(images, self.settings.flavors)
        return [
            self._result(fast_prompt(caption, [line.text for line in row]), row)
            for caption, row in zip(captions, near, strict=True)
        ]

    def classic(
        self, images: torch.Tensor, captions: Sequence[str], flavors: int = CLASSIC_FLAVORS
    ) -> list[Interrogation]:
        """Caption, medium, artist, site, movement and a few flavors."""
        counts = {name: 1 for name in MERGED} | {"flavors": flavors} | dict(self.settings.counts)
        near = {
            name: [self.settings.near_enough(row) for row in table.top(images, counts[name])]
            for name, table in self.tables.items()
            if name in MERGED
        }
        results = []
        for number, caption in enumerate(captions):
            rows = {name: of_list[number] for name, of_list in near.items()}
            texts = {name: [line.text for line in row] for name, row in rows.items()}
            phrases = [line for row in rows.values() for line in row]
            results.append(self._result(classic_prompt(caption, texts), phrases))
        return results

    def best(self, images: torch.Tensor, captions: Sequence[str]) -> list[Interrogation]:
        """The nearest of caption, ``classic``, ``fast`` and a greedy chain."""
        classics = self.classic(images, captions, self.settings.flavors)
        fasts = self.fast(images, captions)
        pools = self._nearest(images, self.settings.candidates)
        return [
            self._best_of(image, [caption, classic.prompt, fast.prompt], pool)
            for image, caption, classic, fast, pool in zip(
                images, captions, classics, fasts, pools, strict=True
            )
        ]

    def _best_of(
        self, image: torch.Tensor, prompts: Sequence[str], pool: Sequence[Line]
    ) -> Interrogation:
        """The nearest of the prompts and a chain that starts at the first of them, the caption."""
        given = [text for text in prompts if text]
        cosines = (self.tower.encode_texts(given) @ image).tolist()
        lines = [Line("prompt", *pair) for pair in zip(given, cosines, strict=True)]
        start = lines[0] if prompts[0] else None
        phrases = [line.text for line in pool]
        if phrases:
            lines.append(grow_chain(image, phrases, start, self.settings.limits, self.tower))
        best = max(lines, key=lambda line: line.score)
        return Interrogation(best.text, best.score)

    def negative(self, images: torch.Tensor, captions: Sequence[str]) -> list[Interrogation]:
        """A chain that leads away from each image, of far flavors and the negative list."""
        always = self.tables["negative"].phrases
        results = []
        for image, row in zip(
            images, self.tables["flavors"].bottom(images, self.settings.candidates), strict=True
        ):
            phrases = [*(line.text for line in row), *always]
            line = grow_chain(-image, phrases, None, self.settings.limits, self.tower)
            results.append(Interrogation(line.text, -line.score))
        return results

    def caption(self, images: torch.Tensor, captions: Sequence[str]) -> list[Interrogation]:
        """The captions alone, and how near to its image each is."""
        cosines = (self.tower.encode_texts(captions) * images).sum(dim=1).tolist()
        return [Interrogation(*pair) for pair in zip(captions, cosines, strict=True)]

    def _nearest(self, images: torch.Tensor, count: int) -> list[list[Line]]:
        """Of all lists together; phrases below a threshold do not crowd out others."""
        if not self.settings.thresholds:
            return self.merged.top(images, count)
        tops = [table.top(images, count) for name, table in self.tables.items() if name in MERGED]
        near = [
            [line for row in rows for line in self.settings.near_enough(row)]
            for rows in zip(*tops, strict=True)
        ]
        return [sorted(row, key=lambda line: -line.score)[:count] for row in near]

    def _result(self, prompt: str, phrases: Sequence[Line]) -> Interrogation:
        """A prompt that fits, and what it is made of."""
        cosines = [line.score for line in phrases]
        mean = sum(cosines) / len(cosines) if cosines else 0.0
        return Interrogation(fit(prompt, self.tower.is_full), mean, tuple(phrases))
