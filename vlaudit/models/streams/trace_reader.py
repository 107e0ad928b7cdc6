"""Select the answer to one reading of one request from the passes of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from vlaudit.errors import RequestError
from vlaudit.models.base import Capabilities
from vlaudit.models.streams.candidates import CandidateScores
from vlaudit.models.streams.captions import Encoding, read_word_answer
from vlaudit.models.streams.contract import FeatureHeads, MatchHead, Network, RegionHead, Streams, WordHead
from vlaudit.models.streams.passes import Held, Pass, Passes
from vlaudit.traces import (
    Attention,
    Feature,
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
class TraceReader:
    """The passes of one batch; `read` returns one answer of one request, without padding.

    `candidates` holds the match scores of candidate words, for a network without a word head.
    """

    network: Network
    capabilities: Capabilities
    vocabulary: Mapping[str, int]
    captions: Sequence[Encoding]
    passes: Passes
    candidates: Mapping[int, CandidateScores] = field(default_factory=dict)

    def read(self, reading: Reading, number: int, axis: ImageAxis | None) -> Tensor:
        """Answer one reading of request `number`, whose image positions are `axis`."""
        caption = self.captions[number]
        lengths: dict[Modality, int] = {"text": len(caption.ids), "image": 0 if axis is None else len(axis)}
        match reading:
            case Words(words) if number in self.candidates:
                return self.candidates[number].log_probabilities(words or ())
            case Words() | HiddenPieces():
                return read_word_answer(reading, self._log_probabilities[number], caption, self.vocabulary)
            case Match():
                return self._match_scores[_ran(self.passes.fused).rows[number]]
            case RegionClasses():
                return self._region_classes(number, axis)
            case Feature(modality):
                return self._features[modality][_ran(getattr(self.passes, modality)).rows[number]]
            case Hidden(modality):
                stages = self.capabilities.stages(reading)
                kept = [self.passes.state(modality, stage, number) for stage in stages]
                return torch.stack([state[: lengths[modality]] for state in kept])
            case Attention(queries, keys):
                layers = self.capabilities.layers(reading)
                maps = [self.passes.attention(queries, keys, layer, number) for layer in layers]
                return torch.stack([each[:, : lengths[queries], : lengths[keys]] for each in maps])
        raise RequestError(f"a model of this kind has no {type(reading).__name__}")

    @cached_property
    def _log_probabilities(self) -> Sequence[Float[Tensor, "hidden vocabulary"]]:
        """Distributions at the hidden positions of each request; only these are projected, all at once."""
        fused, hidden = _ran(self.passes.fused), [list(caption.axis.hidden_positions) for caption in self.captions]
        states = torch.cat([fused.held.text[row, where] for row, where in zip(fused.rows, hidden, strict=True)])
        log_probabilities = cast(WordHead, self.network).word_logits(states).float().log_softmax(-1)
        return torch.split(log_probabilities, [len(where) for where in hidden])

    @cached_property
    def _match_scores(self) -> Float[Tensor, "pairs"]:
        return match_scores(self.network, _ran(self.passes.fused).held)

    @cached_property
    def _features(self) -> Mapping[Modality, Float[Tensor, "inputs width"]]:
        heads, features = cast(FeatureHeads, self.network), dict[Modality, Tensor]()
        if self.passes.text is not None:
            features["text"] = heads.text_feature(self.passes.text.held.last)
        if self.passes.image is not None:
            features["image"] = heads.image_feature(self.passes.image.held.last)
        return features

    def _region_classes(self, number: int, axis: ImageAxis | None) -> Float[Tensor, "regions classes"]:
        """Return the classes of the regions; a position for the whole image has none."""
        fused = _ran(self.passes.fused)
        if axis is None or fused.held.image is None:
            raise RequestError("a pass without regions has no region classes")
        states = fused.held.image[fused.rows[number], list(axis.places)]
        return cast(RegionHead, self.network).region_logits(states).float().log_softmax(-1)


def match_scores(network: Network, streams: Streams) -> Float[Tensor, "pairs"]:
    """Return log-odds of (no match, match) logits; a single logit is the score itself."""
    logits = cast(MatchHead, network).match_logits(streams).float()
    return logits[:, -1] - logits[:, 0] if logits.shape[-1] > 1 else logits[:, 0]


def _ran(done: Pass[Held] | None) -> Pass[Held]:
    if done is None:
        raise RequestError("a pass was read that was not run")
    return done
