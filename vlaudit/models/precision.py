"""Device and precision of a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from vlaudit.errors import UsageError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def find_device(name: str) -> torch.device:
    """Return the device of this name; "auto" is the GPU if available.

    Raises `UsageError` for a name that torch does not know, and for CUDA without a GPU.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"device (--device) must be auto, cpu, cuda or cuda:N, got {name!r}") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"device (--device) {name}: torch finds no CUDA device here; use cpu or auto")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            f"device (--device) {name}: there are {torch.cuda.device_count()} CUDA devices, counted from 0"
        )
    return device


def find_dtype(name: str) -> torch.dtype:
    """Return the floating-point type of this name; `UsageError` for any other."""
    if name not in DTYPES:
        raise UsageError(f"dtype (--dtype) must be one of {', '.join(DTYPES)}, got {name!r}")
    return DTYPES[name]


@contextmanager
def exact_float32() -> Iterator[None]:
    """Disable TF32 inside and restore the settings after: a verdict must not depend on the kind of GPU."""
    setting, exact = _tf32_setting()
    switches: tuple[object, ...] = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [getattr(switch, setting) for switch in switches]
    try:
        for switch in switches:
            setattr(switch, setting, exact)
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            setattr(switch, setting, value)


def _tf32_setting() -> tuple[str, bool | str]:
    """Return the setting that this process uses; torch refuses to read the old one once the new one was set."""
    try:
        bool(torch.backends.cuda.matmul.allow_tf32 or torch.backends.cudnn.allow_tf32)
    except RuntimeError:
        return "fp32_precision", "ieee"
    return "allow_tf32", False
