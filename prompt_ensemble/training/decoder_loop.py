"""The loop in which decoders learn; stopped and continued, it ends in the same weights.

All chance of a step comes from the seed and the step's number. Processes of accelerate share each
batch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from torch import nn

from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.training.decoder_recipe import DecoderRecipe
from prompt_ensemble.training.journal import Journal
from prompt_ensemble.training.resumable import Resumable
from prompt_ensemble.training.schedule import rate_factor

log = logging.getLogger(__name__)
_NOTE_EVERY = 50
_LARGEST_GRADIENT = 1.0


class Batches(Protocol):
    """Where batches come from."""

    def batch(self, count: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        """``count`` examples drawn at random, on the device: what the network's forward takes."""


class DecoderLoop(Resumable):
    """A network whose ``forward`` gives the loss of a batch, with all that survives a stop."""

    recipe: DecoderRecipe

    def __init__(self, network: nn.Module, recipe: DecoderRecipe, accelerator: Accelerator) -> None:
        matrices = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
        others = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
        groups: list[dict[str, Any]] = [
            {"params": matrices, "weight_decay": recipe.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.98))
        named = network.named_parameters(remove_duplicate=False)
        kept = [name for name, tensor in named if not tensor.requires_grad]
        super().__init__(network, optimizer, recipe, accelerator, kept)

    def train(
        self,
        batches: Batches,
        folder: Path,
        *,
        judge: Callable[[], dict[str, float]] | None = None,
        checkpoint_every: int = 500,
        stop_after: int | None = None,
        progress: Progress = silent,
    ) -> None:
        """Take the steps that are left; ``judge`` gives numbers to note with each checkpoint."""
        journal = Journal(folder)
        self.resume(folder, journal)
        last = min(self.recipe.steps, stop_after or self.recipe.steps)
        losses: list[torch.Tensor] = []
        with progress("training", self.recipe.steps, "step") as advance:
            advance(self.done)
            while self.done < last:
                losses.append(self._step(batches))
                advance(1)
                ends = self.done == self.recipe.steps
                if self.done % _NOTE_EVERY == 0 or ends:
                    loss = float(torch.stack(losses).mean())
                    losses.clear()
                    if self.accelerator.is_main_process:
                        journal.note(step=self.done, loss=round(loss, 6))
                if self.done % checkpoint_every == 0 or ends:
                    self._keep(folder, journal, judge)

    def _step(self, batches: Batches) -> torch.Tensor:
        """One step; the loss stays on the device, so that a GPU is never waited for."""
        recipe, accelerator = self.recipe, self.accelerator
        number = (self.done * accelerator.num_processes) + accelerator.process_index
        generator = torch.Generator(accelerator.device).manual_seed(
            recipe.seed * 1_000_003 + number
        )
        torch.manual_seed(recipe.seed * 1_000_003 + number)  # for dropout
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.rate * rate_factor(self.done, recipe.steps, recipe.warm_up)
        self.model.train()
        batch = batches.batch(recipe.batch_size // accelerator.num_processes, generator)
        with accelerator.autocast():
            loss: torch.Tensor = self.model(*batch)
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(self.model.parameters(), _LARGEST_GRADIENT)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.done += 1
        self.average.update(self.network, self.done)
        return loss.detach()

    def _keep(
        self, folder: Path, journal: Journal, judge: Callable[[], dict[str, float]] | None
    ) -> None:
        """Write a checkpoint, and judge the averaged weights."""
        if not self.accelerator.is_main_process:
            return
        if judge:
            numbers = self.with_average(judge)
            journal.note(step=self.done, **numbers)
            log.info("step %d: %s", self.done, numbers)
            journal.draw()
        self.save(folder)
