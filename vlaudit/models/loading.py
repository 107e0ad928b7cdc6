"""Load a model by family and checkpoint; it is checked before it is returned."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from vlaudit.errors import AdapterError, CheckpointError, UsageError
from vlaudit.models.base import LoadOptions, ModelAdapter
from vlaudit.models.bundled import bundled_checkpoint
from vlaudit.models.own import reported
from vlaudit.models.precision import find_device, find_dtype
from vlaudit.models.registry import ModelSource, find_family
from vlaudit.models.smoke_test import smoke_test


def load(
    family: str,
    *,
    checkpoint: str | Path | None = None,
    device: str = "auto",
    dtype: str = "float32",
    tokenizer: Any = None,
    download: bool = False,
    image_size: int | None = None,
    momentum: bool = False,
) -> ModelAdapter:
    """Load a model and run a smoke test on it.

    `family` is what `--model` accepts: "albef", ..., or one's own `FILE.py:Class`, which is called with `LoadOptions`
    if its signature takes an argument. A class that takes none refuses every option that differs from its default.
    `checkpoint` is a weights file of the family; None for the bundled one (for a class of one's own, for none).
    `device` is "auto" (the GPU if there is one), "cpu", "cuda" or "cuda:N"; `dtype` is "float32", "bfloat16" or
    "float16"; a gate runs in float32.
    `tokenizer` is a folder with a vocabulary, the name of one in the local Hugging Face cache, or a tokenizer object
    (of `transformers` or `tokenizers`); nothing is fetched unless `download`.
    `image_size` (pixels) replaces the resolution of the checkpoint; `momentum` also loads the momentum copies.

    Raises `UsageError` (family, an option, or an error in code of one's own), `CheckpointError` or `VocabularyError`
    (files), `AdapterError` (not an adapter): one message before the model runs; nothing is half-loaded.
    """
    where, precision = find_device(device), find_dtype(dtype)
    source = find_family(family)
    if not source.takes_options:
        given = {"checkpoint": checkpoint, "device": device, "dtype": dtype, "tokenizer": tokenizer}
        _refuse_options(family, source, given | {"download": download, "image_size": image_size, "momentum": momentum})
        return _made(family, source)
    path = _weights_path(source, checkpoint)
    options = LoadOptions(path, where, precision, tokenizer, download, image_size, momentum)
    return _made(family, source, options)


def _refuse_options(family: str, source: ModelSource, given: Mapping[str, Any]) -> None:
    """Raise `UsageError` for the first option that a model without options would ignore."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(load).parameters.items()}
    for name, value in given.items():
        if value is not defaults[name] and value != defaults[name] and (source.own or (name, value) != _TOYS_RUN_ON):
            option = f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}")
            if not source.own:
                raise UsageError(f"{option}: {family} has no weights; drop the option")
            raise UsageError(
                f"{option}: {family} takes no argument, so the option would be ignored; drop it, or let "
                f"{family.rpartition(':')[2]} take one argument, a vlaudit.models.base.LoadOptions"
            )


def _weights_path(source: ModelSource, checkpoint: str | Path | None) -> Path | None:
    if checkpoint is None:
        return None if source.bundled is None else bundled_checkpoint(source.bundled)
    path = Path(checkpoint).expanduser()
    if source.own and not path.exists():
        raise CheckpointError(f"checkpoint {path}: there is no such file or folder; check the path after --checkpoint")
    return path


def _made(family: str, source: ModelSource, options: LoadOptions | None = None) -> ModelAdapter:
    given = () if options is None else (options,)
    path = options.checkpoint if options else None
    if not source.own:
        return _checked(source.make(*given), family, path)
    with reported(family, f"calling {family.rpartition(':')[2]}"):
        model = source.make(*given)
    with reported(family, "answering the probe samples"):
        return _checked(model, family, path)


def _checked(model: object, family: str, path: Path | None) -> ModelAdapter:
    # Looked up without reading values: `fingerprint` waits for the hash of a large file, which the smoke test overlaps.
    lacking = [name for name in _MEMBERS if inspect.getattr_static(model, name, _ABSENT) is _ABSENT]
    if lacking:
        raise AdapterError(f"--model {family}: {type(model).__name__} is no model adapter, it has no {lacking}")
    adapter = cast(ModelAdapter, model)
    smoke_test(adapter, path)
    _ = adapter.fingerprint  # waits for the hash, and fails here where the file could not be read to its end
    return adapter


_TOYS_RUN_ON = ("device", "cpu")
_ABSENT = object()
_MEMBERS = ("name", "fingerprint", "capabilities", "vocabulary", "refusal", "forward")
