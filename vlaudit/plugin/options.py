"""The options of a run, and what they select."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from vlaudit.errors import UsageError

if TYPE_CHECKING:  # torch is loaded only where a model is
    from vlaudit.models.base import ModelAdapter

MODELS: pytest.StashKey[Mapping[str, ModelAdapter]] = pytest.StashKey()
"""Where a session keeps its loaded models, by family."""


@dataclass(frozen=True)
class Asked:
    """One model as the command line asks for it."""

    family: str
    checkpoint: Path | None
    device: str
    dtype: str
    tokenizer: str | None
    download: bool


def add_options(parser: pytest.Parser) -> None:
    """Add the options of a run to pytest's."""
    group = parser.getgroup("vlaudit", "auditing vision-language models")
    group.addoption(
        "--model",
        action="append",
        default=[],
        metavar="NAME",
        help="family to audit (albef), or FILE.py:Class; repeatable",
    )
    group.addoption(
        "--checkpoint",
        action="append",
        default=[],
        metavar="[MODEL=]PATH",
        help="weights file (default: the bundled one); MODEL=PATH where several models run",
    )
    group.addoption("--device", default="auto", help="auto (the GPU where there is one), cpu, cuda, cuda:N")
    group.addoption("--dtype", default="float32", help="float32 (default), bfloat16, float16")
    group.addoption("--tokenizer", metavar="DIR|NAME", help="vocabulary, where none lies beside the checkpoint")
    group.addoption("--download", action="store_true", help="allow a fetch from the Hugging Face hub")


def selection(config: pytest.Config) -> list[Asked]:
    """Return the models that were asked for, each with its checkpoint.

    Raises `UsageError`: a model twice, a checkpoint without a model or for one that does not run, an open choice.
    """
    families = config.getoption("model")
    twice = sorted({name for name in families if families.count(name) > 1})
    if twice:
        raise UsageError(f"--model {twice[0]} is given twice; name each model once")
    paths = _checkpoints(config.getoption("checkpoint"), families)
    return [
        Asked(
            family,
            paths.get(family),
            config.getoption("device"),
            config.getoption("dtype"),
            config.getoption("tokenizer"),
            config.getoption("download"),
        )
        for family in families
    ]


def _checkpoints(given: list[str], families: list[str]) -> dict[str, Path]:
    """Pair checkpoints with models; a bare path belongs to the only model there is."""
    paths: dict[str, Path] = {}
    for text in given:
        name, named, path = text.partition("=")
        family = name if named and name in families else None
        if family is None and named and not Path(text).exists() and "/" not in name:
            running = ", ".join(families) or "none"
            raise UsageError(f"--checkpoint {text}: no model named {name} runs (--model: {running})")
        if family is None and len(families) != 1:
            wanted = "name the model with --model" if not families else f"write {families[0]}=PATH"
            raise UsageError(f"--checkpoint {text}: {len(families)} models run; {wanted}")
        owner = family or families[0]
        if owner in paths:
            raise UsageError(f"--checkpoint {text}: {owner} has one already ({paths[owner]})")
        paths[owner] = Path(path if family else text)
    return paths
