"""The blend said in words: candidates from everywhere, the best of them composed further.

Candidates are what the ensemble's captioners said, known prompts near to the blend, and what the
prompt writer makes of it. Each is judged by its cosine to the blend and, a little, by how fluently
it reads; the best one of each image then grows by phrases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np

from prompt_ensemble.core.embeddings import Embeddings, Encode
from prompt_ensemble.core.outputs import Line, Outputs
from prompt_ensemble.core.progress import Advance
from prompt_ensemble.core.text_faults import is_sound
from prompt_ensemble.models.device import Placement
from prompt_ensemble.models.text_decoder.writer import check_writer
from prompt_ensemble.models.weights import WeightRoots
from prompt_ensemble.words.composition import Composed, grow
from prompt_ensemble.words.options import WordsOptions
from prompt_ensemble.words.phrase_vectors import PhraseVectors, load_phrase_vectors
from prompt_ensemble.words.writing import Candidate, PromptWriter

_IMAGES_TOGETHER = 64
_IMAGES_TOGETHER_ON_GPU = 512
_SPOKEN_FLUENCY = -2.0
"""Of known prompts, for which no writer gives a likelihood, and of captions at most."""


class Speaker:
    """Writer and phrases, kept open between calls."""

    def __init__(self, options: WordsOptions, roots: WeightRoots, placement: Placement) -> None:
        """Weights are found now and opened when first needed."""
        self.options = options
        self.placement = placement
        self._writer_path = roots.find(options.writer).path if options.writer else None
        self._phrases_path = roots.find(options.phrases).path if options.phrases else None

    def check(self) -> None:
        """Complain about files that ``say`` would trip over, before any model is loaded."""
        if self._writer_path:
            check_writer(self._writer_path)
        if self._phrases_path:
            load_phrase_vectors(self._phrases_path)

    @cached_property
    def writer(self) -> PromptWriter | None:
        """The prompt writer on its device."""
        return PromptWriter(self._writer_path, self.placement) if self._writer_path else None

    @cached_property
    def phrases(self) -> PhraseVectors | None:
        """Phrases with their vectors."""
        return load_phrase_vectors(self._phrases_path) if self._phrases_path else None

    def say(
        self,
        blend: Embeddings,
        captions: Mapping[str, Sequence[Line]],
        known: Mapping[str, Sequence[Line]],
        encode: Encode,
        *,
        advance: Advance = lambda images: None,
        late: Callable[[], bool] = lambda: False,
    ) -> Outputs:
        """A prompt for each image, and the known prompts near to it, as lines.

        ``captions`` and ``known`` prompts are by image id. A prompt's score is its cosine to the
        blend, a known prompt keeps the one it came with. Once it is ``late``, images that are left
        get no prompt.
        """
        lines: list[tuple[Line, ...]] = []
        together = _IMAGES_TOGETHER_ON_GPU if self.placement.on_gpu else _IMAGES_TOGETHER
        for start in range(0, len(blend.image_ids), together):
            ids = blend.image_ids[start : start + together]
            if late():
                lines += [()] * len(ids)
                continue
            rows = blend.vectors[start : start + len(ids)]
            near = [known.get(image_id, ()) for image_id in ids]
            spoken = [
                [
                    *(_spoken(line) for line in captions.get(image_id, ())),
                    *(Candidate(line.text, _SPOKEN_FLUENCY) for line in beside),
                ]
                for image_id, beside in zip(ids, near, strict=True)
            ]
            prompts = self._prompts(rows, spoken, encode)
            for row, prompt, beside in zip(rows, prompts, near, strict=True):
                answer = Line("prompt", prompt.text, float(prompt.vector @ row))
                lines.append((answer, *(Line("known", k.text, k.score) for k in beside)))
            advance(len(ids))
        return Outputs.of_lines(blend.image_ids, lines)

    def _prompts(
        self, rows: np.ndarray, spoken: Sequence[Sequence[Candidate]], encode: Encode
    ) -> list[Composed]:
        """The best text for each of some images."""
        options = self.options
        written: Sequence[Sequence[Candidate]] = [()] * len(rows)
        if self.writer:
            written = self.writer.write(
                rows, options.candidates, options.temperature, options.longest
            )
        candidates = [
            [*one, *(candidate for candidate in said if is_sound(candidate.text))]
            for one, said in zip(written, spoken, strict=True)
        ]
        best = choose(candidates, rows, encode, options.fluency)
        if not (self.phrases and options.rounds):
            return best
        return grow(
            best, rows, self.phrases, encode,
            rounds=options.rounds, tried=options.tried, gain=options.gain,
        )  # fmt: skip


def _spoken(caption: Line) -> Candidate:
    """A caption as a candidate; one that its captioner found unlikely counts less."""
    return Candidate(caption.text, min(caption.score, _SPOKEN_FLUENCY))


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
            chosen.append(Composed("", np.zeros_like(target)))
            continue
        scores = found @ target + fluency * np.array([one.fluency for one in row])
        number = int(np.argmax(np.round(scores, 4)))  # of equals the first, on every processor
        chosen.append(Composed(row[number].text, found[number]))
    return chosen
