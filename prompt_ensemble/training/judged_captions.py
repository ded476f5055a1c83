"""How near the captions of held-out images come to the true prompts, before training and after."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from prompt_ensemble.core.embeddings import Encode, unit_rows
from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.intervals import Resampling
from prompt_ensemble.data.groups import connected_groups
from prompt_ensemble.data.pairs import Pair

HELD_OUT = "held_out.jsonl"
"""Held-out pairs of a run with what was said of them: a listing, as ``--data`` takes it."""


@dataclass(frozen=True, eq=False)
class JudgedPairs:
    """Images and true prompts that captions are judged by; a prompt counts once, however many its
    images."""

    rows: tuple[Pair, ...]
    truth: np.ndarray
    """``(N, 384)`` unit rows."""
    encode: Encode

    @property
    def images(self) -> list[Path]:
        """The image of each row."""
        return [pair.image for pair in self.rows]

    def score(self, captions: Sequence[str]) -> float:
        """The mean cosine."""
        return float(self._of_prompts(self.cosines(captions), self._everything).mean())

    def cosines(self, captions: Sequence[str]) -> np.ndarray:
        """The cosine of each caption with its true prompt, ``(N,)``."""
        cosines: np.ndarray = np.einsum("ij,ij->i", unit_rows(self.encode(captions)), self.truth)
        return cosines

    def write(
        self, captions: Sequence[str], before: Sequence[str] | None, file: Path
    ) -> dict[str, Any]:
        """List all rows in ``file``; returns scores with intervals, in all and of each source."""
        texts = {"caption": captions} if before is None else {"before": before, "caption": captions}
        cosines = {name: self.cosines(said) for name, said in texts.items()}
        lines = []
        for number, pair in enumerate(self.rows):
            line: dict[str, object] = {"image": str(pair.image.absolute()), "prompt": pair.prompt}
            line |= {"source": pair.source, "tier": pair.tier}
            line |= {name: said[number] for name, said in texts.items()}
            line |= {f"{name}_cosine": round(float(cosines[name][number]), 4) for name in texts}
            lines.append(json.dumps(line, ensure_ascii=False))
        write_atomically(file, "".join(line + "\n" for line in lines))
        sources = np.array([pair.source for pair in self.rows])
        named = [source for source in sorted(set(sources.tolist())) if source]
        return {
            "score": self.score(captions),
            "score_is": "mean cosine of captions on held-out prompts",
            **self._scores(cosines, self._everything),
            "by_source": {
                source: self._scores(cosines, np.flatnonzero(sources == source)) for source in named
            },
        }

    def _scores(self, cosines: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, Any]:
        """Means and intervals over the prompts of some rows, and what was gained."""
        groups = self._of_prompts(self._groups, rows)
        of_prompts = {name: self._of_prompts(part, rows) for name, part in cosines.items()}
        resampling = Resampling(groups)
        scores: dict[str, Any] = {"prompts": len(groups)}
        for name, part in of_prompts.items():
            scores[name] = asdict(resampling.interval(part))
        if "before" in of_prompts and resampling.group_count > 1:
            gain = resampling.difference(of_prompts["caption"], of_prompts["before"])
            scores["gain"] = asdict(gain)
        return scores

    def _of_prompts(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """The mean of each prompt's rows."""
        _, numbers = np.unique(self._prompts[rows], return_inverse=True)
        means: np.ndarray = np.bincount(numbers, values[rows]) / np.bincount(numbers)
        return means

    @cached_property
    def _prompts(self) -> np.ndarray:
        return np.array([pair.prompt for pair in self.rows])

    @cached_property
    def _groups(self) -> np.ndarray:
        """Near-duplicate prompts are drawn together."""
        return connected_groups(self.truth)

    @property
    def _everything(self) -> np.ndarray:
        return np.arange(len(self.rows))
