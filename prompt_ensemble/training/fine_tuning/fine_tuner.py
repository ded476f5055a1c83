"""The loop of a fine-tuning; stopped and continued, it ends in the same weights."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from safetensors.torch import load_file, save
from torch import nn
from torch.nn.functional import cross_entropy

from prompt_ensemble.core.files import write_atomically
from prompt_ensemble.core.progress import Progress, silent
from prompt_ensemble.members.captioners.tunable_captioner import Published, TunableCaptioner
from prompt_ensemble.models.text_generation.searching_captioner import SearchingCaptioner
from prompt_ensemble.training.fine_tuning.caption_batches import NOT_LEARNT, Batch, CaptionBatches
from prompt_ensemble.training.fine_tuning.learning_parts import LearningParts
from prompt_ensemble.training.fine_tuning.recipe import FineTuneRecipe
from prompt_ensemble.training.journal import Journal
from prompt_ensemble.training.resumable import Resumable
from prompt_ensemble.training.schedule import rate_factor

log = logging.getLogger(__name__)
_NOTE_EVERY = 10
_LARGEST_GRADIENT = 1.0
_BEST = "best.safetensors"
_SCORE = "held_out"
Judge = Callable[[SearchingCaptioner], float]
"""How near captions of held-out images come to the true prompts."""


class CaptionLoss(nn.Module):
    """The loss of a part of a batch."""

    def __init__(self, predictor: TunableCaptioner, published: Published, smoothing: float) -> None:
        super().__init__()
        self.predictor = predictor
        self.published = published
        self.network: nn.Module = published.model
        self.smoothing = smoothing

    def forward(
        self, pixels: torch.Tensor, tokens: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        """Sum of the cross-entropies of the tokens that are learnt."""
        seen = self.published.preprocessing.normalise(pixels)
        logits = self.predictor.logits(self.published, seen, tokens)
        return caption_loss(logits, labels, self.smoothing)


def caption_loss(
    logits: torch.Tensor, labels: torch.Tensor, smoothing: float = 0.0
) -> torch.Tensor:
    """Sum of the cross-entropies; the logits of each place are held against the next label."""
    return cross_entropy(
        logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten(),
        ignore_index=NOT_LEARNT, label_smoothing=smoothing, reduction="sum",
    )  # fmt: skip


class FineTuner(Resumable):
    """A captioner in training."""

    recipe: FineTuneRecipe

    def __init__(
        self,
        predictor: TunableCaptioner,
        published: Published,
        parts: LearningParts,
        recipe: FineTuneRecipe,
        accelerator: Accelerator,
    ) -> None:
        self.predictor = predictor
        self.published = published
        loss = CaptionLoss(predictor, published, recipe.smoothing)
        groups = parts.groups()
        self.rates = [group["lr"] for group in groups]
        named = loss.named_parameters(remove_duplicate=False)
        kept = [name for name, tensor in named if not tensor.requires_grad]
        super().__init__(loss, torch.optim.AdamW(groups), recipe, accelerator, kept)
        self.scores: list[float] = []
        """Of the looks at held-out images so far."""

    def train(
        self,
        batches: CaptionBatches,
        folder: Path,
        *,
        judge: Judge | None = None,
        checkpoint_every: int = 200,
        stop_after: int | None = None,
        progress: Progress = silent,
    ) -> bool:
        """Take the steps that are left; whether training has come to its end."""
        recipe, journal = self.recipe, Journal(folder)
        self.resume(folder, journal)
        self.scores = [note[_SCORE] for note in journal.notes() if _SCORE in note]
        last = min(recipe.steps, stop_after or recipe.steps)
        pin = self.accelerator.device.type == "cuda"
        coming = batches.from_step(self.done, last, recipe.workers, pin)
        with progress("fine-tuning", recipe.steps, "step") as advance:
            advance(self.done)
            if judge and not self.done:
                self._judge(judge, journal, folder)
            while self.done < last and not self._is_patience_out():
                loss = self.step(next(coming))
                advance(1)
                ends = self.done == recipe.steps
                if self.done % _NOTE_EVERY == 0 or ends:
                    self._note(journal, loss)
                if judge and (self.done % recipe.judge_every == 0 or ends):
                    self._judge(judge, journal, folder)
                if self.done % checkpoint_every == 0 or ends:
                    self._keep(folder)
        if self._is_patience_out():
            self._keep(folder)
        return self.done == recipe.steps or self._is_patience_out()

    def put_best(self, folder: Path) -> None:
        """Put the weights of the best score into the network; the last if nothing was judged."""
        best = folder / _BEST
        self.put(load_file(best) if best.is_file() else self.average.state)
        self.network.eval()

    def step(self, batch: Batch) -> torch.Tensor:
        """One step of the optimizer: the loss of this process's parts of the batch."""
        recipe, accelerator = self.recipe, self.accelerator
        torch.manual_seed(recipe.seed * 1_000_003 + self.done)  # for dropout
        self._set_rates()
        self.model.train()
        parts = recipe.accumulation * accelerator.num_processes
        mine = range(accelerator.process_index, parts, accelerator.num_processes)
        learnt = (batch.labels[:, 1:] != NOT_LEARNT).sum().item()
        total = torch.zeros((), device=accelerator.device)
        for part in mine:
            total += self._backward(batch, slice(part, None, parts), learnt, part == mine[-1])
        accelerator.clip_grad_norm_(self.model.parameters(), _LARGEST_GRADIENT)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.done += 1
        self.average.update(self.network, self.done)
        return total

    def _backward(self, batch: Batch, part: slice, learnt: float, is_last: bool) -> torch.Tensor:
        """Gradients of a part of a batch, so that all parts together are the batch's mean."""
        device, processes = self.accelerator.device, self.accelerator.num_processes

        def moved(tensor: torch.Tensor) -> torch.Tensor:
            return tensor[part].to(device, non_blocking=True)

        with self.accelerator.autocast():
            loss: torch.Tensor = self.model(
                moved(batch.pixels), moved(batch.tokens), moved(batch.labels)
            )
        mean = loss / learnt
        if is_last or processes == 1:
            self.accelerator.backward(mean * processes)
        else:
            with self.accelerator.no_sync(self.model):
                self.accelerator.backward(mean * processes)
        return mean.detach()

    def _set_rates(self) -> None:
        """Rates of this step; the image tower may wait."""
        recipe = self.recipe
        factor = rate_factor(self.done, recipe.steps, recipe.warm_up)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            waits = group["part"] == "tower" and self.done < recipe.tower_waits
            group["lr"] = 0.0 if waits else rate * factor

    def _judge(self, judge: Judge, journal: Journal, folder: Path) -> None:
        """Note the score of the averaged weights, and keep them if none were better.

        One process judges; all learn its score, so that they end at the same step.
        """
        found = [0.0]
        if self.accelerator.is_main_process:
            captioner = self.predictor.searching(self.published)
            found = [round(self.with_average(lambda: judge(captioner)), 6)]
            log.info("step %d: held-out captions %.4f", self.done, found[0])
            if found[0] > max(self.scores, default=-1.0):
                write_atomically(folder / _BEST, save(self.average.state))
            journal.note(step=self.done, **{_SCORE: found[0]})
            journal.draw()
        broadcast_object_list(found)
        self.scores += found

    def _is_patience_out(self) -> bool:
        """Whether the best score lies too many looks back."""
        if not self.recipe.patience or not self.scores:
            return False
        since_best = len(self.scores) - 1 - self.scores.index(max(self.scores))
        return since_best >= self.recipe.patience

    def _note(self, journal: Journal, loss: torch.Tensor) -> None:
        """Note the loss of a step, to which each process has added its parts."""
        whole = float(self.accelerator.reduce(loss, "sum"))
        if self.accelerator.is_main_process:
            journal.note(step=self.done, loss=round(whole, 6))

    def _keep(self, folder: Path) -> None:
        if self.accelerator.is_main_process:
            self.save(folder)
