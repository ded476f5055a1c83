"""Counts the operations of matrix products, attention and convolutions by torch's own formulas."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class Flops(TorchDispatchMode):
    """All there were within; unlike torch's own counter it also works in inference mode."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        formula = flop_registry.get(func._overloadpacket)
        if formula is None and func is not torch.ops.prim.device.default:
            with self:
                made = func.decompose(*args, **given)
            if made is not NotImplemented:
                return made
        result = func(*args, **given)
        if formula is not None:
            self.total += int(formula(*args, **given, out_val=result))
        return result


@contextmanager
def counting() -> Iterator[Flops]:
    """Counts within; attention is done in parts meanwhile, since the fused one has no formula."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with Flops() as flops:
            yield flops
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
