"""From what a pass over a batch brought back to the answer of one request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from vlaudit.errors import RequestError
from vlaudit.models.base import Capabilities
from vlaudit.models.streams.captions import Encoding, word_answer
from vlaudit.models.streams.contract import Inputs, RegionNetwork, Streams
from vlaudit.traces import (
    Attention,
    Hidden,
    HiddenPieces,
    ImageAxis,
    Match,
    Modality,
    Reading,
    RegionClasses,
    Words,
)


@dataclass(frozen=True)
class Answers:
    """The pass of one batch; `read` cuts one request's answer out of it, padding cut off."""

    network: RegionNetwork
    capabilities: Capabilities
    vocabulary: Mapping[str, int]
    captions: Sequence[Encoding]
    inputs: Inputs
    streams: Streams

    def read(self, reading: Reading, number: int, axis: ImageAxis | None) -> Tensor:
        """Answer one reading of request `number`, whose image positions are `axis`."""
        caption = self.captions[number]
        lengths: dict[Modality, int] = {"text": len(caption.ids), "image": 0 if axis is None else len(axis)}
        match reading:
            case Words() | HiddenPieces():
                return word_answer(reading, self._log_probabilities[number], caption, self.vocabulary)
            case Match():
                no_match, match = self._match_logits[number].float()
                log_odds: Tensor = match - no_match
                return log_odds
            case RegionClasses():
                return self._region_classes(number, axis)
            case Hidden(modality):
                kept = [self.streams.states[modality, stage] for stage in self.capabilities.stages(reading)]
                return torch.stack([state[number, : lengths[modality]] for state in kept])
            case Attention(queries, keys):
                layers = self.capabilities.layers(reading)
                maps = [self.streams.attention[queries, keys, layer][number] for layer in layers]
                return torch.stack([each[:, : lengths[queries], : lengths[keys]] for each in maps])
        raise RequestError(f"a model of this kind has no {type(reading).__name__}")

    @cached_property
    def _log_probabilities(self) -> Sequence[Float[Tensor, "hidden vocabulary"]]:
        """Distributions at the hidden positions of each request; only they are projected, all at once."""
        hidden = [list(caption.axis.hidden_positions) for caption in self.captions]
        states = torch.cat([self.streams.text[row, where] for row, where in enumerate(hidden)])
        log_probabilities = self.network.word_logits(states).float().log_softmax(-1)
        return torch.split(log_probabilities, [len(where) for where in hidden])

    @cached_property
    def _match_logits(self) -> Float[Tensor, "pairs 2"]:
        return self.network.match_logits(self.streams)

    def _region_classes(self, number: int, axis: ImageAxis | None) -> Float[Tensor, "regions classes"]:
        """Return the classes of the regions; what stands for the whole image is none."""
        if axis is None or self.streams.image is None:
            raise RequestError("a pass without regions has no region classes")
        logits = self.network.region_logits(self.streams.image[number, list(axis.places)])
        return logits.float().log_softmax(-1)
