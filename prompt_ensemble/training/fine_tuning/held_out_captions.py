"""How near captions of held-out images come to the true prompts."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from prompt_ensemble.core.embeddings import Encode, unit_rows
from prompt_ensemble.core.errors import UnreadableImage
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.data.pairs import Pair, Pairs
from prompt_ensemble.images.decode import load_image
from prompt_ensemble.models.text_generation.searching_captioner import SearchingCaptioner
from prompt_ensemble.training.fine_tuning.recipe import FineTuneRecipe


@dataclass(frozen=True, eq=False)
class HeldOutCaptions:
    """Images and true prompts to judge on."""

    rows: tuple[Pair, ...]
    truth: np.ndarray
    """``(N, 384)`` unit rows."""
    encode: Encode
    together: int
    device: torch.device

    @classmethod
    def of(
        cls,
        pairs: Pairs,
        judged: np.ndarray,
        truth: np.ndarray,
        encode: Encode,
        recipe: FineTuneRecipe,
        device: torch.device,
    ) -> HeldOutCaptions:
        """Of the held-out rows as many as the recipe looks at, drawn at random."""
        order = np.random.default_rng(recipe.seed).permutation(judged)[: recipe.judged_images]
        rows = np.sort(order)
        chosen = tuple(pairs.rows[row] for row in rows.tolist())
        return cls(chosen, truth[rows], encode, recipe.batch_size, device)

    def score(self, captioner: SearchingCaptioner) -> float:
        """The mean cosine, prompts weighted alike."""
        return self._mean(self._cosines(self._captions(captioner)))

    def write(self, captioner: SearchingCaptioner, table: Path) -> dict[str, Any]:
        """A table of images, prompts, captions and cosines; and the score."""
        captions = self._captions(captioner)
        cosines = self._cosines(captions)
        text = io.StringIO()
        rows = csv.writer(text)
        rows.writerow(["image", "prompt", "caption", "cosine"])
        for pair, caption, cosine in zip(self.rows, captions, cosines.tolist(), strict=True):
            rows.writerow([pair.image, pair.prompt, caption, f"{cosine:.4f}"])
        write_atomically(table, text.getvalue())
        return {
            "score": self._mean(cosines),
            "score_is": "mean cosine of generated captions on held-out prompts",
        }

    @torch.inference_mode()
    def _captions(self, captioner: SearchingCaptioner) -> list[str]:
        """The likeliest caption of each image; none of an image that cannot be read."""
        captions: list[str] = []
        for start in range(0, len(self.rows), self.together):
            pictures = [
                _prepared(captioner, pair.image)
                for pair in self.rows[start : start + self.together]
            ]
            readable = [picture for picture in pictures if picture is not None]
            said: list[str] = []
            if readable:
                batch = torch.stack(readable).to(self.device)
                said = [lines[0].text for lines in captioner.caption(batch)]
            found = iter(said)
            captions += ["" if picture is None else next(found) for picture in pictures]
        return captions

    def _cosines(self, captions: Sequence[str]) -> np.ndarray:
        cosines: np.ndarray = np.einsum("ij,ij->i", unit_rows(self.encode(captions)), self.truth)
        return cosines

    def _mean(self, cosines: np.ndarray) -> float:
        images = Counter(pair.prompt for pair in self.rows)
        weights = [1 / images[pair.prompt] for pair in self.rows]
        return float(np.average(cosines, weights=weights))


def _prepared(captioner: SearchingCaptioner, image: Path) -> torch.Tensor | None:
    try:
        return captioner.prepare(load_image(image))
    except UnreadableImage:
        return None
