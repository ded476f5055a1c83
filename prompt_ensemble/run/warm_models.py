"""Opened models that stay on the device between runs, as far as a memory budget allows."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass

import torch

from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.members.contract import OpenedModel
from prompt_ensemble.models.device import Placement, held_memory, release
from prompt_ensemble.run.members import Member


@dataclass(frozen=True)
class _Warm:
    """An opened model and the memory it took to open it."""

    model: OpenedModel
    size: int


class WarmModels:
    """Models by what determines them; the least recently used make room for others."""

    def __init__(self, placement: Placement, budget: int = 0, progress: Progress = silent) -> None:
        """With a ``budget`` of 0 bytes a model is given up as soon as its member has run."""
        self.placement = placement
        self.budget = budget
        self.progress = progress
        self._models: OrderedDict[str, _Warm] = OrderedDict()

    def __len__(self) -> int:
        return len(self._models)

    def get(self, member: Member) -> OpenedModel:
        """The member's model, opened now if it is not warm."""
        key = json.dumps([member.config.model, member.identity], sort_keys=True)
        if key not in self._models:
            self._models[key] = self._open(member)
        self._models.move_to_end(key)
        return self._models[key].model

    def give_up(self) -> None:
        """Close the least recently used models until the rest is within the budget."""
        given_up = False
        while self._models and sum(warm.size for warm in self._models.values()) > self.budget:
            self._models.popitem(last=False)
            given_up = True
        if self._models and not self.budget:
            self._models.clear()
            given_up = True
        if given_up:
            release(self.placement)

    def close(self) -> None:
        """Close all of them."""
        self._models.clear()
        release(self.placement)

    def _open(self, member: Member) -> _Warm:
        """The model, opened; where memory runs out all others are closed first."""
        before = held_memory(self.placement)
        try:
            model = member.predictor.open(self.placement, self.progress)
        except torch.OutOfMemoryError:
            if not self._models:
                raise
            self.close()
            before = held_memory(self.placement)
            model = member.predictor.open(self.placement, self.progress)
        return _Warm(model, max(0, held_memory(self.placement) - before))
