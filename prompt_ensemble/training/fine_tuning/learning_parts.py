"""What of a published captioner learns: all of it, its text side, or low-rank additions (LoRA)."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

from prompt_ensemble.core.extras import import_extra
from prompt_ensemble.training.fine_tuning.families import Family
from prompt_ensemble.training.fine_tuning.recipe import FineTuneRecipe
from prompt_ensemble.training.layer_rates import rate_groups

ADAPTER = "adapter"
"""Folder of LoRA's additions, where the recipe keeps them."""


class LearningParts:
    """The network with what learns of it switched on; ``merge`` ends that."""

    def __init__(self, network: Any, family: Family, recipe: FineTuneRecipe) -> None:
        self.network = network
        self.family = family
        self.recipe = recipe
        self._adapted: Any = None
        network.requires_grad_(recipe.tuned != "lora")
        if recipe.tuned == "decoder":
            network.get_submodule(family.tower).requires_grad_(False)
        elif recipe.tuned == "lora":
            self._adapted = _with_lora(network, family, recipe)
        if recipe.gradient_checkpointing:
            self._recompute()

    def groups(self) -> list[dict[str, Any]]:
        """Groups for an optimizer: the image tower by its layers' rates, and the rest."""
        recipe, tower = self.recipe, self.network.get_submodule(self.family.tower)
        within = {id(parameter) for parameter in tower.parameters()}
        others = [p for p in self.network.parameters() if id(p) not in within and p.requires_grad]
        return rate_groups(
            tower, others, tower_rate=recipe.tower_rate, rate=recipe.rate,
            layer_decay=recipe.layer_decay, weight_decay=recipe.weight_decay,
        )  # fmt: skip

    def merge(self, out: Path) -> None:
        """Add what LoRA learnt to the network's own weights, and keep it apart if asked to."""
        if self._adapted is None:
            return
        if self.recipe.keep_adapter:
            self._adapted.save_pretrained(str(out / ADAPTER))
        self._adapted.merge_and_unload()

    def _recompute(self) -> None:
        """Activations are computed again on the way back, not kept."""
        if hasattr(self.network, "set_grad_checkpointing"):
            self.network.set_grad_checkpointing(True)
            return
        self.network.gradient_checkpointing_enable({"use_reentrant": False})
        if self._adapted is not None:
            # peft makes the inputs ask for gradients, on which BLIP and GIT fail; without reentry
            # nothing needs that.
            self.network.disable_input_require_grads()


def _with_lora(network: Any, family: Family, recipe: FineTuneRecipe) -> Any:
    """peft's wrapper of the network, whose layers it exchanges in place."""
    patterns = [family.lora, family.tower_lora] if recipe.lora_on_images else [family.lora]
    config = import_peft().LoraConfig(
        r=recipe.lora_rank, lora_alpha=2 * recipe.lora_rank,
        target_modules="|".join(f"({pattern})" for pattern in patterns),
    )  # fmt: skip
    with warnings.catch_warnings():
        # It says that GPT-2's matrices lie on their side, and turns them.
        warnings.filterwarnings("ignore", message="fan_in_fan_out")
        return import_peft().get_peft_model(network, config)


def import_peft() -> ModuleType:
    """What LoRA needs, or one line that says how to install it."""
    return import_extra(
        "peft", "training", 'tuned = "lora" needs peft', 'set tuned = "decoder" or "whole"'
    )
