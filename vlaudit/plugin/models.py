"""Load the models of a run, once."""

from __future__ import annotations

from collections.abc import Sequence

from vlaudit.models.base import ModelAdapter
from vlaudit.models.loading import load
from vlaudit.plugin.options import Asked


def load_models(asked: Sequence[Asked]) -> dict[str, ModelAdapter]:
    """Load every model that was asked for, by family."""
    return {
        one.family: load(
            one.family,
            checkpoint=one.checkpoint,
            device=one.device,
            dtype=one.dtype,
            tokenizer=one.tokenizer,
            download=one.download,
        )
        for one in asked
    }
