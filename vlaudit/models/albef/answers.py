"""From what the passes of a batch brought back to the answer of one request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from vlaudit.errors import RequestError
from vlaudit.models.albef.network import Albef
from vlaudit.models.albef.passes import Pass
from vlaudit.models.base import Capabilities
from vlaudit.models.streams.captions import Encoding, word_answer
from vlaudit.traces import Attention, Feature, Hidden, HiddenPieces, Match, Reading, Words


@dataclass(frozen=True)
class Answers:
    """The passes of one batch; `read` cuts one request's answer out of them, padding cut off."""

    network: Albef
    capabilities: Capabilities
    vocabulary: Mapping[str, int]
    captions: Sequence[Encoding]
    text: Pass
    image: Pass | None
    fusion: Pass | None

    def read(self, reading: Reading, number: int) -> Tensor:
        """Answer one reading of request `number`."""
        caption = self.captions[number]
        match reading:
            case Words() | HiddenPieces():
                return word_answer(reading, self._log_probabilities[number], caption, self.vocabulary)
            case Match():
                no_match, match = self._match_logits[_known(self.fusion).rows[number]]
                log_odds: Tensor = match - no_match
                return log_odds
            case Feature("text"):
                return self._text_features[self.text.rows[number]]
            case Feature("image"):
                return self._image_features[_known(self.image).rows[number]]
            case Hidden():
                stages = self.capabilities.stages(reading)
                return torch.stack([self._state(reading, stage, number, caption) for stage in stages])
            case Attention():
                layers = self.capabilities.layers(reading)
                return torch.stack([self._attention(reading, layer, number, caption) for layer in layers])
        raise RequestError(f"albef has no {type(reading).__name__}")

    @cached_property
    def _log_probabilities(self) -> Sequence[Float[Tensor, "hidden vocabulary"]]:
        """Distributions at the hidden positions of each request; only they are projected, all at once."""
        done, hidden = _known(self.fusion), [list(caption.axis.hidden_positions) for caption in self.captions]
        states = torch.cat([done.encoded.last[row, where] for row, where in zip(done.rows, hidden, strict=True)])
        log_probabilities = self.network.mlm_logits(states).float().log_softmax(-1)
        return torch.split(log_probabilities, [len(where) for where in hidden])

    @cached_property
    def _match_logits(self) -> Float[Tensor, "pairs 2"]:
        return self.network.itm_logits(_known(self.fusion).encoded.last)

    @cached_property
    def _text_features(self) -> Float[Tensor, "captions width"]:
        return self.network.text_feature(self.text.encoded.last)

    @cached_property
    def _image_features(self) -> Float[Tensor, "images width"]:
        return self.network.image_feature(_known(self.image).encoded.last)

    def _state(self, reading: Hidden, stage: int, number: int, caption: Encoding) -> Float[Tensor, "positions width"]:
        if reading.modality == "image":
            done, length = _known(self.image), None
        else:
            early = stage <= self.network.config.text.fusion_layer
            done, length = _known(self.text if early else self.fusion), len(caption.ids)
        return done.encoded.states[stage][done.rows[number], :length]

    def _attention(
        self, reading: Attention, layer: int, number: int, caption: Encoding
    ) -> Float[Tensor, "heads queries keys"]:
        length = len(caption.ids)
        if reading.queries == "image":
            done = _known(self.image)
            return done.encoded.self_attention[layer][done.rows[number]]
        done = _known(self.text if layer < self.network.config.text.fusion_layer else self.fusion)
        row = done.rows[number]
        if reading.keys == "image":
            return done.encoded.cross_attention[layer][row, :, :length]
        return done.encoded.self_attention[layer][row, :, :length, :length]


def _known(done: Pass | None) -> Pass:
    if done is None:
        raise RequestError("a pass was read that was not run")
    return done
