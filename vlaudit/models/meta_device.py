"""Build a network on the meta device, for a loader that assigns its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class _WithoutInitialization(TorchFunctionMode):
    """Skip the initialization of weights, and make ranges on the CPU.

    On the meta device both compute nothing, but torch imports its Python decompositions and sympy for them: more than
    a second in the first load of a process.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = dict(kwargs or {})
        if getattr(func, "__module__", None) == "torch.nn.init":
            return named["tensor"] if "tensor" in named else args[0]
        if func is torch.arange:
            return torch.empty_like(func(*args, **{**named, "device": "cpu"}), device="meta")
        return func(*args, **named)


@contextmanager
def build_on_meta() -> Iterator[None]:
    """Create every tensor inside on the meta device, without memory and without initialization."""
    with torch.device("meta"), _WithoutInitialization():
        yield
