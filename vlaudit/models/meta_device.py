"""Build a network on the meta device, for a loader that assigns its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class _WithoutInitialization(TorchFunctionMode):
    """Skip the initialization of weights.

    On the meta device it computes nothing, but makes torch import its Python decompositions: 1 s in the first load of
    a process.
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
        return func(*args, **named)


@contextmanager
def build_on_meta() -> Iterator[None]:
    """Create every tensor inside on the meta device, without memory and without initialization."""
    with torch.device("meta"), _WithoutInitialization():
        yield
