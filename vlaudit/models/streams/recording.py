"""Keep the states and attention of a pass that were wanted."""

from __future__ import annotations

from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor

from vlaudit.models.streams.contract import Streams, Wanted
from vlaudit.traces import Modality


@dataclass(frozen=True)
class Recorder:
    """Receives every state and attention of a pass and keeps those that `wanted` names."""

    wanted: Wanted
    states: dict[tuple[Modality, int], Float[Tensor, "batch positions width"]] = field(default_factory=dict)
    attention: dict[tuple[Modality, Modality, int], Float[Tensor, "batch heads queries keys"]] = field(
        default_factory=dict
    )

    def wants(self, queries: Modality, keys: Modality, layer: int) -> bool:
        """Return whether the probabilities of this attention must be materialized."""
        return (queries, keys, layer) in self.wanted.attention

    def wants_joint(self, layer: int) -> bool:
        """Return whether any slice of this layer's attention, which both modalities share, is wanted."""
        return any(number == layer for _, _, number in self.wanted.attention)

    def state(self, modality: Modality, stage: int, states: Float[Tensor, "batch positions width"]) -> None:
        """Keep the states of a stage if they are wanted."""
        if (modality, stage) in self.wanted.states:
            self.states[modality, stage] = states

    def attended(
        self,
        queries: Modality,
        keys: Modality,
        layer: int,
        probabilities: Float[Tensor, "batch heads queries keys"] | None,
    ) -> None:
        """Keep the attention of one layer if it is wanted."""
        if probabilities is not None and self.wants(queries, keys, layer):
            self.attention[queries, keys, layer] = probabilities

    def attended_jointly(
        self, layer: int, probabilities: Float[Tensor, "batch heads positions positions"] | None, length: int
    ) -> None:
        """Keep the wanted slices of one attention over `length` tokens followed by the regions."""
        if probabilities is None:
            return
        places: dict[Modality, slice] = {"text": slice(0, length), "image": slice(length, None)}
        for queries, rows in places.items():
            for keys, columns in places.items():
                self.attended(queries, keys, layer, probabilities[:, :, rows, columns])

    def streams(
        self, text: Float[Tensor, "batch length width"], image: Float[Tensor, "batch regions width"] | None
    ) -> Streams:
        """Return the result of the pass; `text` and `image` are the last states."""
        return Streams(text, image, self.states, self.attention)
