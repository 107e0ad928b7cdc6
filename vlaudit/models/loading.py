"""The one way to get a model: by family and checkpoint, checked before it is handed out."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import cast

from vlaudit.errors import AdapterError, UsageError
from vlaudit.models.base import LoadOptions, ModelAdapter
from vlaudit.models.bundled import bundled_checkpoint
from vlaudit.models.canary import check_alive
from vlaudit.models.precision import find_device, find_dtype
from vlaudit.models.registry import FAMILIES, find_family


def load(
    family: str,
    *,
    checkpoint: str | Path | None = None,
    device: str = "auto",
    dtype: str = "float32",
    tokenizer: str | None = None,
    download: bool = False,
    image_size: int | None = None,
    momentum: bool = False,
) -> ModelAdapter:
    """Load a model, and run a canary through it.

    `family` is what `--model` takes: "albef", ..., or one's own `FILE.py:Class`.
    `checkpoint` is a weights file of that family; the bundled one where None.
    `device` is "auto" (the GPU where there is one), "cpu", "cuda" or "cuda:N"; `dtype` is "float32", "bfloat16" or
    "float16"; a gate runs in float32.
    `tokenizer` names a folder with a vocabulary, or a tokenizer in the local Hugging Face cache; nothing is fetched
    unless `download`.
    `image_size` (pixels) asks for another resolution than the checkpoint's own; `momentum` also holds the slowly
    moving copies.

    Raises `UsageError` (family, device, dtype), `CheckpointError` or `VocabularyError` (files): one message that says
    what is wrong and what to do, before the model runs; nothing is half-loaded.
    """
    where, precision = find_device(device), find_dtype(dtype)
    make, takes_options = find_family(family)
    if not takes_options:
        model = make()  # type: ignore[call-arg]  # one's own class is called without arguments
        return _checked(model, family)
    path = _weights_path(family, checkpoint)
    options = LoadOptions(path, where, precision, tokenizer, download, image_size, momentum)
    model = make(options)  # type: ignore[call-arg]  # a family takes the options
    return _checked(model, family, path)


def _weights_path(family: str, checkpoint: str | Path | None) -> Path:
    needs = family not in FAMILIES or FAMILIES[family].needs_weights
    if checkpoint is not None and not needs:
        raise UsageError(f"--checkpoint {checkpoint}: {family} has no weights; drop the option")
    if checkpoint is not None:
        return Path(checkpoint).expanduser()
    if not needs:
        return Path()
    return bundled_checkpoint((FAMILIES[family].bundled if family in FAMILIES else "") or family)


def _checked(model: object, family: str, path: Path | None = None) -> ModelAdapter:
    # Looked up without being read: the hash of a large file is still running, beside the canary.
    lacking = [name for name in _PROMISED if inspect.getattr_static(model, name, _ABSENT) is _ABSENT]
    if lacking:
        raise AdapterError(f"--model {family}: {type(model).__name__} is no model adapter, it has no {lacking}")
    adapter = cast(ModelAdapter, model)
    check_alive(adapter, path)
    _ = adapter.fingerprint  # waits for the hash, and fails here where the file could not be read to its end
    return adapter


_ABSENT = object()
_PROMISED = ("name", "fingerprint", "capabilities", "vocabulary", "refusal", "forward")
