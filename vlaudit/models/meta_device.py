"""Build a network without memory for its weights, for a loader that assigns them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class _Undrawn(TorchFunctionMode):
    """Leave out the first weights that modules draw.

    Drawing on the meta device computes nothing, but makes torch import its Python decompositions: 1 s in the first
    load of a process.
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
    """Put every tensor that is made inside on the meta device, with its shape alone."""
    with torch.device("meta"), _Undrawn():
        yield
