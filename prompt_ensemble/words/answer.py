"""The blend said in words: candidates from everywhere, the best of them composed further.

Candidates are what the ensemble's captioners said, known prompts near to the blend, and what the
prompt writer makes of it. Each is judged by its cosine to the undamped blend and, a little, by how
fluently it reads; the best one of each image then grows by phrases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from prompt_ensemble.core.embeddings import Embeddings, Encode
from prompt_ensemble.core.errors import BadConfig
from prompt_ensemble.core.outputs import Line, Outputs
from prompt_ensemble.core.text_faults import is_broken, is_empty, is_repetitive
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.words.composition import Composed, grow
from prompt_ensemble.words.phrase_vectors import PhraseVectors, load_phrase_vectors
from prompt_ensemble.words.target import undamped
from prompt_ensemble.words.writing import Candidate, PromptWriter

_IMAGES_TOGETHER = 64
_SPOKEN_FLUENCY = -2.0
"""Of captions and known prompts, for which no writer gives a likelihood: a good sentence's."""


@dataclass(frozen=True)
class WordsOptions:
    """How a blend becomes words; the table ``[words]`` of a preset."""

    writer: str = ""
    """Weights of a prompt writer; without one, only captions and known prompts are candidates."""
    phrases: str = ""
    """Weights of phrase vectors; without them nothing is composed."""
    mean: str = "embedded-prior"
    """Weights of the mean prompt, whose direction uncertainty draws a blend to."""
    undamped: float = 0.8
    """Share of the mean prompt that is taken out of the blend."""
    candidates: int = 12
    """Texts drawn from the writer for each image."""
    temperature: float = 0.8
    fluency: float = 0.02
    """What a nat of log-likelihood per word piece counts, in cosine."""
    rounds: int = 3
    """Phrases that are added at most."""
    tried: int = 4
    """Phrases that are tried in a round."""
    gain: float = 0.005
    """Cosine that a phrase must bring."""


class Speaker:
    """Writer and phrases, kept open between calls."""

    def __init__(self, options: WordsOptions, roots: WeightRoots, placement: Placement) -> None:
        """Weights are found now and opened when first needed."""
        if options.candidates < 1 or options.rounds < 0 or options.temperature <= 0:
            raise BadConfig("[words]: candidates must be 1 or more, rounds 0 or more")
        self.options = options
        self.placement = placement
        self._writer_path = roots.find(options.writer).path if options.writer else None
        self._phrases_path = roots.find(options.phrases).path if options.phrases else None
        self._mean_path = roots.find(options.mean).path / "prior.safetensors"

    @cached_property
    def writer(self) -> PromptWriter | None:
        """The prompt writer on its device."""
        return PromptWriter(self._writer_path, self.placement) if self._writer_path else None

    @cached_property
    def phrases(self) -> PhraseVectors | None:
        """Phrases with their vectors."""
        return load_phrase_vectors(self._phrases_path) if self._phrases_path else None

    @cached_property
    def mean(self) -> np.ndarray:
        """The mean prompt."""
        return Embeddings.load(self._mean_path).vectors[0]

    def say(
        self,
        blend: Embeddings,
        captions: Mapping[str, Sequence[str]],
        known: Mapping[str, Sequence[Line]],
        encode: Encode,
    ) -> Outputs:
        """A prompt for each image, and the known prompts near to it, as lines.

        ``captions`` and ``known`` are by image id. A prompt's score is its cosine to the blend.
        """
        lines: list[tuple[Line, ...]] = []
        for start in range(0, len(blend.image_ids), _IMAGES_TOGETHER):
            ids = blend.image_ids[start : start + _IMAGES_TOGETHER]
            rows = blend.vectors[start : start + _IMAGES_TOGETHER]
            spoken = [
                [*captions.get(name, ()), *(line.text for line in known.get(name, ()))]
                for name in ids
            ]
            for name, row, found in zip(ids, rows, self._prompts(rows, spoken, encode), strict=True):
                prompt = Line("prompt", found.text, float(found.vector @ row))
                lines.append((prompt, *(Line("known", k.text, k.score) for k in known.get(name, ()))))
        return Outputs.of_lines(blend.image_ids, lines)

    def _prompts(
        self, rows: np.ndarray, spoken: Sequence[Sequence[str]], encode: Encode
    ) -> list[Composed]:
        """The best text for each of some images."""
        options = self.options
        targets = undamped(rows, self.mean, options.undamped)
        written: Sequence[Sequence[Candidate]] = [()] * len(rows)
        if self.writer:
            written = self.writer.write(rows, options.candidates, options.temperature)
        candidates = [
            [*one, *(Candidate(text, _SPOKEN_FLUENCY) for text in texts if _is_sound(text))]
            for one, texts in zip(written, spoken, strict=True)
        ]
        best = choose(candidates, targets, encode, options.fluency)
        if not (self.phrases and options.rounds):
            return best
        return grow(
            best, targets, self.phrases, encode,
            rounds=options.rounds, tried=options.tried, gain=options.gain,
        )  # fmt: skip


def choose(
    candidates: Sequence[Sequence[Candidate]],
    targets: np.ndarray,
    encode: Encode,
    fluency: float,
) -> list[Composed]:
    """The best candidate of each image: cosine to the target, and fluency by its weight.

    An image without any candidate gets the empty text, which nothing is near to.
    """
    vectors = encode([one.text for row in candidates for one in row])
    chosen, at = [], 0
    for row, target in zip(candidates, targets, strict=True):
        found = vectors[at : at + len(row)]
        at += len(row)
        if not row:
            chosen.append(Composed("", np.zeros_like(target), 0.0))
            continue
        scores = found @ target + fluency * np.array([one.fluency for one in row])
        number = int(np.argmax(np.round(scores, 4)))  # of equals the first, on every processor
        chosen.append(Composed(row[number].text, found[number], float(scores[number])))
    return chosen


def _is_sound(text: str) -> bool:
    return not (is_empty(text) or is_broken(text) or is_repetitive(text))
