"""Read the sizes of a published model from its tensors, and the rest from its config file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from vlaudit.errors import CheckpointError

HEAD_WIDTH = 64
"""Components of one attention head in every published model; it cannot be read from shapes."""

HEADS, WIDTH, EPSILON = "num_attention_heads", "hidden_size", "layer_norm_eps"


@runtime_checkable
class HasShape(Protocol):
    """Anything with a shape: a tensor, or a file's entry for one that was not read yet."""

    @property
    def shape(self) -> Sequence[int]:
        """Length of every axis."""
        ...


def shape_of(tensors: Mapping[str, HasShape], name: str, axes: int, *, family: str) -> tuple[int, ...]:
    """Return the shape of a tensor that `family` requires; `CheckpointError` where it is missing or empty."""
    if name not in tensors:
        raise CheckpointError(f"not a checkpoint in the layout of {family}: it has no tensor {name}")
    shape = tuple(tensors[name].shape)
    if len(shape) != axes or 0 in shape:
        raise CheckpointError(f"{name} must have {axes} axes, none empty, got shape {shape}")
    return shape


def count_modules(names: Iterable[str], prefix: str) -> int:
    """Return the number of numbered modules below `prefix`; a gap shows later, as missing keys.

    >>> count_modules(["layer.0.bias", "layer.0.weight", "layer.1.bias"], "layer.")
    2
    """
    numbered = re.compile(re.escape(prefix) + r"(\d+)\.")
    return len({found[1] for name in names if (found := numbered.match(name))})


def agreed_sizes(seen: Mapping[str, int], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sizes seen in the tensors with the number of heads, and the epsilon where the config states one.

    `config` is a decoded config file, complete or not. Raises `CheckpointError` where it contradicts the tensors, has
    another activation than the exact GELU, or where nothing states the number of heads.
    """
    for name in sorted(config.keys() & seen.keys()):
        if config[name] != seen[name]:
            raise CheckpointError(
                f"the config says {name} = {config[name]!r}, but the checkpoint's tensors have {seen[name]!r}; "
                "give the config that belongs to this checkpoint"
            )
    if config.get("hidden_act", "gelu") != "gelu":
        raise CheckpointError(f"hidden_act must be 'gelu', the exact one, got {config['hidden_act']!r}")
    found: dict[str, Any] = dict(seen)
    found[HEADS] = _heads(config.get(HEADS), seen[WIDTH])
    if EPSILON in config:
        found[EPSILON] = _epsilon(config[EPSILON])
    return found


def _heads(stated: Any, width: int) -> int:
    if stated is None and width % HEAD_WIDTH:
        raise CheckpointError(
            f"the number of heads cannot be read off the tensors: {WIDTH} = {width} is no multiple of {HEAD_WIDTH}, "
            f"the width of a head in the published models; put a config.json that states {HEADS} next to the checkpoint"
        )
    heads = width // HEAD_WIDTH if stated is None else stated
    if not isinstance(heads, int) or isinstance(heads, bool) or heads < 1 or width % heads:
        raise CheckpointError(f"{HEADS} must be a whole number that divides {WIDTH} = {width}, got {heads!r}")
    return heads


def _epsilon(stated: Any) -> float:
    if isinstance(stated, bool) or not isinstance(stated, int | float) or not stated > 0:
        raise CheckpointError(f"{EPSILON} must be a positive number, got {stated!r}")
    return float(stated)
