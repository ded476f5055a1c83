"""The training loop: one process or many, interrupted or not, the result is the same.

All chance in a step comes from the seed and the step's number, so a checkpoint needs no state of
random generators, and a resumed run is bit for bit the run that was never interrupted.
"""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import nn

from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.training.journal import Journal
from prompt_ensemble.training.layer_rates import rate_groups
from prompt_ensemble.training.regressor.frozen_stages import hold_norms
from prompt_ensemble.training.regressor.inputs import Inputs
from prompt_ensemble.training.regressor.losses import loss_of
from prompt_ensemble.training.regressor.prompt_sampler import PromptSampler
from prompt_ensemble.training.regressor.recipe import Recipe
from prompt_ensemble.training.regressor.validation import Validation
from prompt_ensemble.training.resumable import Resumable
from prompt_ensemble.training.schedule import rate_factor

log = logging.getLogger(__name__)

_NOTE_EVERY = 10


class Trainer(Resumable):
    """A regressor in training."""

    recipe: Recipe

    def __init__(self, learner: nn.Module, recipe: Recipe, accelerator: Accelerator) -> None:
        """``learner`` has a ``tower`` and a ``head`` and maps inputs to embeddings."""
        groups = rate_groups(
            learner.tower, learner.head.parameters(),  # type: ignore[arg-type, union-attr, operator]
            tower_rate=recipe.tower_rate, rate=recipe.head_rate,
            layer_decay=recipe.layer_decay, weight_decay=recipe.weight_decay,
        )  # fmt: skip
        optimizer = torch.optim.AdamW(groups)
        self.rates = [group["lr"] for group in groups]
        super().__init__(learner, optimizer, recipe, accelerator)

    def train(
        self,
        inputs: Inputs,
        targets: torch.Tensor,
        sampler: PromptSampler,
        folder: Path,
        *,
        validation: Validation | None = None,
        checkpoint_every: int = 100,
        stop_after: int | None = None,
        progress: Progress = silent,
    ) -> None:
        """Take the steps that are left; ``stop_after`` ends early, as an interrupt would."""
        journal = Journal(folder)
        self.resume(folder, journal)
        last = min(self.recipe.steps, stop_after or self.recipe.steps)
        with progress("training", self.recipe.steps, "step") as advance:
            advance(self.done)
            while self.done < last:
                loss = self._step(inputs, targets, sampler)
                advance(1)
                self._keep(loss, journal, folder, validation, checkpoint_every)

    def _step(self, inputs: Inputs, targets: torch.Tensor, sampler: PromptSampler) -> float:
        """One step of the optimizer; processes share the batch."""
        recipe, number = self.recipe, self.done
        parts = recipe.accumulation * self.accelerator.num_processes
        rows, generator = sampler.batch(number, recipe.batch_size)
        torch.manual_seed(recipe.seed * 1_000_003 + number)  # for dropout
        self._set_rates(number)
        self.model.train()
        hold_norms(self.model)
        batch = inputs.augmented(rows, generator)
        mine = range(self.accelerator.process_index, parts, self.accelerator.num_processes)
        total = 0.0
        for part in mine:
            chosen = slice(part, None, parts)
            total += self._backward(batch[chosen], targets[rows[chosen]], last=part == mine[-1])
        self.accelerator.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.done += 1
        self.average.update(self.network, number)
        return total / len(mine)

    def _backward(self, batch: torch.Tensor, targets: torch.Tensor, *, last: bool) -> float:
        """Loss and gradients of a part of a batch; processes exchange them after the last."""
        device = self.accelerator.device
        with self.accelerator.autocast():
            layout = torch.channels_last if batch.ndim == 4 else torch.contiguous_format
            predicted = self.model(batch.to(device).contiguous(memory_format=layout))
        loss = loss_of(predicted, targets.to(device), self.recipe)
        if last or self.accelerator.num_processes == 1:
            self.accelerator.backward(loss / self.recipe.accumulation)
        else:
            with self.accelerator.no_sync(self.model):
                self.accelerator.backward(loss / self.recipe.accumulation)
        return float(loss.detach())

    def _set_rates(self, number: int) -> None:
        """Rates of this step; the tower waits while only the head learns."""
        recipe = self.recipe
        factor = rate_factor(number, recipe.steps, recipe.warm_up)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            waiting = group["part"] == "tower" and number < recipe.head_steps
            group["lr"] = 0.0 if waiting else rate * factor

    def _keep(
        self,
        loss: float,
        journal: Journal,
        folder: Path,
        validation: Validation | None,
        checkpoint_every: int,
    ) -> None:
        """Note numbers and write checkpoints, when it is time for them."""
        if not self.accelerator.is_main_process:
            return
        ends = self.done == self.recipe.steps
        if self.done % _NOTE_EVERY == 0 or ends:
            journal.note(step=self.done, loss=round(loss, 6))
        if self.done % checkpoint_every == 0 or ends:
            if validation:
                score = validation.score(self.network, self.average.state, self.accelerator.device)
                journal.note(step=self.done, validation=round(score, 6))
                log.info("step %d: validation %.4f", self.done, score)
                journal.draw()
            self.save(folder)
