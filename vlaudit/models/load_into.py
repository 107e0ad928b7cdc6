"""Fill a network that was built without weights with those of a file, all or nothing."""

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
    """Build a network without memory for its weights, check the file against it, and put the weights in their place.

    Names under `rules.aliases` and those that match `rules.training_only` are not demanded of the file. What is tied in
    the network, and its buffers, are the caller's business afterwards: they are on the meta device still where the
    file has nothing for them. Raises `CheckpointError` as `match_keys` does.
    """
    with build_on_meta():
        network = build()
    parameters = dict(network.named_parameters(remove_duplicate=False))
    expected = {name: tensor for name, tensor in parameters.items() if name not in rules.aliases}
    tensors, keys = match_keys(file, expected, rules, family=family)
    placed = {name: value.to(options.device, options.dtype, copy=True) for name, value in tensors.items()}
    network.load_state_dict(placed, strict=False, assign=True)  # strictness was match_keys' business
    return network, keys
