"""A network in training, with all that must survive an interrupt: what both loops share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from torch import nn

from prompt_ensemble.training.checkpoints import read_checkpoint, write_checkpoint
from prompt_ensemble.training.journal import Journal
from prompt_ensemble.training.schedule import WeightAverage

log = logging.getLogger(__name__)
Judgement = TypeVar("Judgement")


class Resumable:
    """Network, optimizer, average of the weights, and steps done."""

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        recipe: Any,
        accelerator: Accelerator,
        kept: Collection[str] = (),
    ) -> None:
        """Tensors that are ``kept`` do not learn; a recipe is a dataclass with an ``average``."""
        self.recipe = recipe
        self.accelerator = accelerator
        self.kept = frozenset(kept)
        self.model, self.optimizer = accelerator.prepare(network, optimizer)
        self.average = WeightAverage(self.network, recipe.average, self.kept)
        self.done = 0

    @property
    def network(self) -> nn.Module:
        """The network without what accelerate wraps around it."""
        network: nn.Module = self.accelerator.unwrap_model(self.model)
        return network

    def put(self, learnt: Mapping[str, torch.Tensor]) -> None:
        """Put these weights in place of those that learn."""
        self.network.load_state_dict({**self.network.state_dict(), **learnt})

    def with_average(self, judge: Callable[[], Judgement]) -> Judgement:
        """What ``judge`` says while the network holds the averaged weights."""
        network = self.network
        state = network.state_dict()
        current = {name: state[name].clone() for name in self.average.state}
        self.put(self.average.state)
        network.eval()
        with torch.inference_mode():
            found = judge()
        self.put(current)
        return found

    def save(self, folder: Path) -> None:
        """Write the checkpoint from which ``resume`` goes on."""
        state = self.network.state_dict()
        learnt = {name: tensor for name, tensor in state.items() if name not in self.kept}
        write_checkpoint(folder, self.recipe, self.done, learnt, self.average.state, self.optimizer)

    def resume(self, folder: Path, journal: Journal) -> None:
        """Go on from the folder's checkpoint, if it has one."""
        state = read_checkpoint(folder, self.recipe)
        if state is not None:
            self.put(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            device = self.accelerator.device
            self.average.state = {name: t.to(device) for name, t in state["average"].items()}
            self.done = state["step"]
            log.info("resuming at step %d of %d", self.done, self.recipe.steps)
        if self.accelerator.is_main_process:
            journal.forget_after(self.done)
        self.accelerator.wait_for_everyone()
