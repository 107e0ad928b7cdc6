"""Load a weights file into a network that was built on the meta device, all or nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from torch import nn

from vlaudit.models.base import LoadOptions
from vlaudit.models.checkpoint import KeyReport, KeyRules, WeightsFile, match_keys
from vlaudit.models.meta_device import build_on_meta

Network = TypeVar("Network", bound=nn.Module)


def load_into(
    build: Callable[[], Network], file: WeightsFile, rules: KeyRules, options: LoadOptions, *, family: str
) -> tuple[Network, KeyReport]:
    """Build a network on the meta device, check the file's names and shapes against it, and assign the weights.

    The file may lack names under `rules.aliases` and names that match `rules.training_only`. The caller must tie shared
    parameters and create buffers afterwards: they remain on the meta device where the file holds none.
    Raises `CheckpointError` as `match_keys` does.
    """
    with build_on_meta():
        network = build()
    parameters = dict(network.named_parameters(remove_duplicate=False))
    expected = {name: tensor for name, tensor in parameters.items() if name not in rules.aliases}
    tensors, keys = match_keys(file, expected, rules, family=family)
    placed = {name: value.to(options.device, options.dtype, copy=True) for name, value in tensors.items()}
    network.load_state_dict(placed, strict=False, assign=True)  # match_keys was strict
    return network, keys
