"""Images to prompts in the ways of clip-interrogator, a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from prompt_ensemble.members.interrogator.chain import ChainLimits, Scored, chain
from prompt_ensemble.members.interrogator.phrase_tables import PhraseTable, Ranked
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
    """Cosine below which a list's phrases are not said."""
    least: int = 8
    """Phrases a chain adds even where they lead away for a while."""
    candidates: int = 2048
    """Phrases that chains choose from."""

    @property
    def limits(self) -> ChainLimits:
        """How long chains grow."""
        return ChainLimits(self.least, self.flavors)

    def near_enough(self, row: Sequence[Ranked]) -> list[Ranked]:
        """The phrases of one image that are not below their list's threshold."""
        return [one for one in row if one.cosine >= self.thresholds.get(one.source, -2.0)]


@dataclass(frozen=True)
class Interrogation:
    """What was found for one image."""

    prompt: str
    cosine: float
    """Of the prompt where its mode measures that (``best``, ``negative``), else the mean of its
    phrases' cosines; 0 without any."""
    phrases: tuple[Ranked, ...] = ()


@dataclass(frozen=True, eq=False)
class Interrogator:
    """A tower and its phrases; ``images`` are rows ``(B, D)``, captions may be empty."""

    tower: TwoSidedTower
    merged: PhraseTable
    tables: Mapping[str, PhraseTable]
    settings: SearchSettings

    def fast(self, images: torch.Tensor, captions: Sequence[str]) -> list[Interrogation]:
        """Caption, and the nearest phrases of all lists together."""
        near = self.nearest(images, self.settings.flavors)
        return [
            self.made(fast_prompt(caption, [one.text for one in row]), row)
            for caption, row in zip(captions, near, strict=True)
        ]

    def classic(
        self, images: torch.Tensor, captions: Sequence[str], flavors: int = CLASSIC_FLAVORS
    ) -> list[Interrogation]:
        """Caption, medium, artist, site, movement and a few flavors."""
        counts = {name: 1 for name in MERGED} | {"flavors": flavors} | dict(self.settings.counts)
        found = {
            name: [self.settings.near_enough(row) for row in table.top(images, counts[name])]
            for name, table in self.tables.items()
            if name in MERGED
        }
        made = []
        for number, caption in enumerate(captions):
            own = {name: rows[number] for name, rows in found.items()}
            texts = {name: [one.text for one in row] for name, row in own.items()}
            phrases = [one for row in own.values() for one in row]
            made.append(self.made(classic_prompt(caption, texts), phrases))
        return made

    def best(self, images: torch.Tensor, captions: Sequence[str]) -> list[Interrogation]:
        """The nearest of caption, ``classic``, ``fast`` and a greedy chain."""
        classics = self.classic(images, captions, self.settings.flavors)
        fasts = self.fast(images, captions)
        pools = self.nearest(images, self.settings.candidates)
        return [
            self.best_of(image, [caption, classic.prompt, fast.prompt], pool)
            for image, caption, classic, fast, pool in zip(
                images, captions, classics, fasts, pools, strict=True
            )
        ]

    def best_of(
        self, image: torch.Tensor, prompts: Sequence[str], pool: Sequence[Ranked]
    ) -> Interrogation:
        """The nearest of the prompts and a chain that starts at the first of them, the caption."""
        given = [text for text in prompts if text]
        cosines = (self.tower.encode_texts(given) @ image).tolist()
        scored = [Scored(text, cosine) for text, cosine in zip(given, cosines, strict=True)]
        start = scored[0] if prompts[0] else None
        phrases = [one.text for one in pool]
        if phrases:
            scored.append(chain(image, phrases, start, self.settings.limits, self.tower))
        winner = max(scored, key=lambda one: one.cosine)
        return Interrogation(winner.text, winner.cosine)

    def negative(self, images: torch.Tensor, captions: Sequence[str]) -> list[Interrogation]:
        """A chain that leads away from each image, of far flavors and the negative list."""
        always = self.tables["negative"].phrases
        made = []
        for image, row in zip(
            images, self.tables["flavors"].bottom(images, self.settings.candidates), strict=True
        ):
            phrases = [*(one.text for one in row), *always]
            found = chain(-image, phrases, None, self.settings.limits, self.tower)
            made.append(Interrogation(found.text, -found.cosine))
        return made

    def caption(self, images: torch.Tensor, captions: Sequence[str]) -> list[Interrogation]:
        """The captions alone, and how near to its image each is."""
        cosines = (self.tower.encode_texts(captions) * images).sum(dim=1).tolist()
        return [Interrogation(*both) for both in zip(captions, cosines, strict=True)]

    def nearest(self, images: torch.Tensor, count: int) -> list[list[Ranked]]:
        """Of all lists together; phrases below a threshold do not crowd out others."""
        if not self.settings.thresholds:
            return self.merged.top(images, count)
        found = [table.top(images, count) for name, table in self.tables.items() if name in MERGED]
        near = [
            [one for row in rows for one in self.settings.near_enough(row)]
            for rows in zip(*found, strict=True)
        ]
        return [sorted(row, key=lambda one: -one.cosine)[:count] for row in near]

    def made(self, prompt: str, phrases: Sequence[Ranked]) -> Interrogation:
        """A prompt that fits, and what it was made of."""
        cosines = [one.cosine for one in phrases]
        mean = sum(cosines) / len(cosines) if cosines else 0.0
        return Interrogation(fit(prompt, self.tower.is_full), mean, tuple(phrases))
