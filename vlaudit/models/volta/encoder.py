"""VOLTA's stack of sublayers, each with attention or feed-forward for one modality or both."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vlaudit.models.attention import attend, merge_heads, split_heads
from vlaudit.models.streams.contract import Pair
from vlaudit.models.volta.config import VoltaConfig
from vlaudit.traces import Modality

States = Mapping[Modality, Float[Tensor, "batch _ width"]]
Masks = Mapping[Modality, Float[Tensor, "batch 1 1 _"]]
Probabilities = Mapping[Pair, Float[Tensor, "batch heads _ _"]]

MODALITIES: tuple[Modality, ...] = ("text", "image")
KINDS: Mapping[Pair, str] = {
    ("text", "text"): "tt",
    ("text", "image"): "tv",
    ("image", "text"): "vt",
    ("image", "image"): "vv",
}
"""Modality of queries and keys by the two letters of the official names."""


@dataclass(frozen=True)
class Sublayers:
    """Result of a pass through the stack, by the official numbers of sublayers.

    `states[m, 0]` are embeddings, `states[m, s + 1]` the states after sublayer s, changed by it or not.
    """

    last: States
    states: Mapping[tuple[Modality, int], Float[Tensor, "batch _ width"]] = field(default_factory=dict)
    attention: Mapping[tuple[Modality, Modality, int], Float[Tensor, "batch heads _ _"]] = field(default_factory=dict)


class Paired(nn.Module):
    """Modules for text, and their counterparts with prefix `v_` for regions; the same modules where `shared`."""

    def __init__(self, modalities: Collection[Modality], *, shared: bool) -> None:
        super().__init__()
        self.modalities = tuple(modality for modality in MODALITIES if modality in modalities)
        self.shared = shared and len(self.modalities) == 2

    def pair(self, name: str, make: Callable[[Modality], nn.Module]) -> None:
        """Add the modules of a name."""
        for modality in self.modalities:
            again = self.shared and modality == "image"
            setattr(self, _published(name, modality), getattr(self, name) if again else make(modality))

    def run(
        self, name: str, modality: Modality, states: Float[Tensor, "batch positions width"]
    ) -> Float[Tensor, "batch positions out"]:
        """Run a modality's module of a name."""
        module = cast(nn.Module, getattr(self, _published(name, modality)))
        result: Tensor = module(states)
        return result


def _published(name: str, modality: Modality) -> str:
    return name if modality == "text" else f"v_{name}"


class Projections(Paired):
    """Query, key and value projections of each modality."""

    def __init__(self, config: VoltaConfig, modalities: Collection[Modality], *, shared: bool) -> None:
        super().__init__(modalities, shared=shared)
        self.heads = config.num_attention_heads
        for name in ("query", "key", "value"):
            self.pair(name, lambda _: nn.Linear(config.hidden_size, config.hidden_size))

    def split(
        self, name: str, modality: Modality, states: Float[Tensor, "batch positions width"]
    ) -> Float[Tensor, "batch heads positions depth"]:
        """Return queries, keys or values, split by head."""
        return split_heads(self.run(name, modality, states), self.heads)


class Residual(Paired):
    """A linear map, a residual connection and a norm."""

    def __init__(
        self, config: VoltaConfig, modalities: Collection[Modality], inner: Mapping[Modality, int], *, shared: bool
    ) -> None:
        super().__init__(modalities, shared=shared)
        self.pair("dense", lambda modality: nn.Linear(inner[modality], config.hidden_size))
        self.pair("LayerNorm", lambda _: nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps))

    def forward(
        self,
        modality: Modality,
        update: Float[Tensor, "batch positions inner"],
        states: Float[Tensor, "batch positions width"],
    ) -> Float[Tensor, "batch positions width"]:
        """Return the next states."""
        return self.run("LayerNorm", modality, self.run("dense", modality, update) + states)


class Intermediate(Paired):
    """The widening half of the feed-forward part, with the exact (erf) GELU."""

    def __init__(
        self, modalities: Collection[Modality], width: int, wide: Mapping[Modality, int], *, shared: bool
    ) -> None:
        super().__init__(modalities, shared=shared)
        self.pair("dense", lambda modality: nn.Linear(width, wide[modality]))

    def forward(
        self, modality: Modality, states: Float[Tensor, "batch positions width"]
    ) -> Float[Tensor, "batch positions wide"]:
        """Return the widened states."""
        return F.gelu(self.run("dense", modality, states))


class Attention(nn.Module):
    """An attention sublayer: the keys of all modalities that a modality attends to are under one softmax.

    Both directions read the input of the sublayer. Where weights are shared and both modalities attend to both, caption
    and regions are one sequence. `sources` maps the modality of queries to those of their keys.
    """

    def __init__(self, config: VoltaConfig, number: int) -> None:
        super().__init__()
        self.sources: dict[Modality, tuple[Modality, ...]] = {
            queries: keys
            for queries in MODALITIES
            if (keys := tuple(m for m in MODALITIES if number in config.kind(KINDS[queries, m])))
        }
        shared = number in config.shared_sublayers
        inner = dict.fromkeys(MODALITIES, config.hidden_size)
        self.attention_self = Projections(config, self.sources, shared=shared)
        self.attention_output = Residual(config, self.sources, inner, shared=shared)
        self.joint = self.attention_self.shared and all(len(keys) == 2 for keys in self.sources.values())

    def forward(self, states: States, masks: Masks, weights: Collection[Pair] = ()) -> tuple[States, Probabilities]:
        """Return the states after the sublayer, and the probabilities of the pairs that `weights` names."""
        if self.joint:
            return self._joint(states, masks, weights)
        parts = {
            m: [self.attention_self.split(n, m, states[m]) for n in ("query", "key", "value")] for m in self.sources
        }
        following = dict(states)
        probabilities: dict[Pair, Tensor] = {}
        for queries, keys in self.sources.items():
            key, value = (torch.cat([parts[m][part] for m in keys], dim=2) for part in (1, 2))
            mask = torch.cat([masks[m] for m in keys], dim=-1)
            wanted = [m for m in keys if (queries, m) in weights]
            context, written = attend(parts[queries][0], key, value, mask, weights=bool(wanted))
            following[queries] = self.attention_output(queries, merge_heads(context), states[queries])
            if written is not None:
                slices = torch.split(written, [states[m].shape[1] for m in keys], dim=-1)
                probabilities |= {(queries, m): part for m, part in zip(keys, slices, strict=True) if m in wanted}
        return following, probabilities

    def _joint(self, states: States, masks: Masks, weights: Collection[Pair]) -> tuple[States, Probabilities]:
        sequence, lengths = joined(states), [states[m].shape[1] for m in MODALITIES]
        mask = torch.cat([masks[m] for m in MODALITIES], dim=-1)
        query, key, value = (self.attention_self.split(n, "text", sequence) for n in ("query", "key", "value"))
        context, written = attend(query, key, value, mask, weights=bool(weights))
        following = parted(self.attention_output("text", merge_heads(context), sequence), states)
        if written is None:
            return following, {}
        slices = {
            (queries, keys): part
            for queries, rows in zip(MODALITIES, torch.split(written, lengths, dim=2), strict=True)
            for keys, part in zip(MODALITIES, torch.split(rows, lengths, dim=3), strict=True)
        }
        return following, {pair: slices[pair] for pair in weights}


class FeedForward(nn.Module):
    """A feed-forward sublayer, for the modalities that it names."""

    def __init__(self, config: VoltaConfig, number: int) -> None:
        super().__init__()
        self.modalities = config.touched(number)
        shared = number in config.shared_sublayers
        wide: dict[Modality, int] = {"text": config.intermediate_size, "image": config.v_intermediate_size}
        self.intermediate = Intermediate(self.modalities, config.hidden_size, wide, shared=shared)
        self.output = Residual(config, self.modalities, wide, shared=shared)

    def forward(self, states: States, masks: Masks, weights: Collection[Pair] = ()) -> tuple[States, Probabilities]:
        """Return the states after the sublayer; it has no attention."""
        if self.intermediate.shared:
            return parted(self._fed("text", joined(states)), states), {}
        return {m: self._fed(m, state) if m in self.modalities else state for m, state in states.items()}, {}

    def _fed(
        self, modality: Modality, states: Float[Tensor, "batch positions width"]
    ) -> Float[Tensor, "batch positions width"]:
        fed: Tensor = self.output(modality, self.intermediate(modality, states), states)
        return fed


def joined(states: States) -> Float[Tensor, "batch positions width"]:
    """Put the regions behind the caption."""
    return torch.cat([states[m] for m in MODALITIES], dim=1)


def parted(sequence: Float[Tensor, "batch positions width"], like: States) -> States:
    """Undo `joined`."""
    parts = torch.split(sequence, [like[m].shape[1] for m in MODALITIES], dim=1)
    return dict(zip(MODALITIES, parts, strict=True))


class Encoder(nn.Module):
    """The stack of sublayers."""

    def __init__(self, config: VoltaConfig) -> None:
        super().__init__()
        starts = {layer.first for layer in config.layers}
        self.layer = nn.ModuleList(
            (Attention if number in starts else FeedForward)(config, number) for number in range(config.sublayers)
        )

    def forward(
        self,
        states: States,
        masks: Masks,
        *,
        attention: Collection[tuple[Modality, Modality, int]] = (),
        kept: Collection[tuple[Modality, int]] = (),
    ) -> Sublayers:
        """Run the sublayers; `attention` and `kept` select, by sublayer, the states and attention to return."""
        stages = {(m, 0): state for m, state in states.items() if (m, 0) in kept}
        written: dict[tuple[Modality, Modality, int], Tensor] = {}
        for number, sublayer in enumerate(self.layer):
            pairs = [(queries, keys) for queries, keys, at in attention if at == number]
            states, probabilities = sublayer(states, masks, pairs)
            written |= {(*pair, number): tensor for pair, tensor in probabilities.items()}
            stages |= {(m, number + 1): state for m, state in states.items() if (m, number + 1) in kept}
        return Sublayers(states, stages, written)
