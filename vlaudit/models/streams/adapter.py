"""Models that read a caption and regions, and text-only ones, behind the model boundary: one pass a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from vlaudit.errors import RequestError
from vlaudit.models.base import AttentionShape, Capabilities, ForwardRequest
from vlaudit.models.precision import exact_float32
from vlaudit.models.provenance import Loaded, Provenance
from vlaudit.models.region_encoder import RegionEncoder
from vlaudit.models.streams.captions import Encoding, encode_plain, hides_badly, unknown_words
from vlaudit.models.streams.contract import Inputs, Layout, RegionNetwork, Wanted
from vlaudit.models.streams.region_inputs import (
    boxes_of,
    features_of,
    region_axis,
    region_refusal,
    with_global,
)
from vlaudit.models.streams.trace_reader import Answers
from vlaudit.models.vocabulary import Vocabulary
from vlaudit.samples import Sample
from vlaudit.traces import Attention, Hidden, HiddenPieces, Match, Modality, Reading, RegionClasses, Trace, Words


class RegionAdapter(Loaded):
    """Answers requests with one network over captions and regions.

    `encoder` gives features to regions that have none, from the pixels in their boxes; without one they are refused.
    It is the encoder that the checkpoint was trained with: other features of the same width mean nothing to it.
    """

    def __init__(
        self,
        name: str,
        network: RegionNetwork,
        vocabulary: Vocabulary,
        provenance: Callable[[], Provenance],
        *,
        encoder: RegionEncoder | None = None,
    ) -> None:
        super().__init__(provenance)
        module = cast(nn.Module, network)
        module.eval().requires_grad_(requires_grad=False)
        self.name, self.network, self.encoder = name, network, encoder
        self.capabilities = capabilities_of(network.layout)
        self.vocabulary: Mapping[str, int] = vocabulary.ids
        self._vocabulary = vocabulary
        weight = next(module.parameters())
        self.device, self._dtype = weight.device, weight.dtype

    def refusal(self, request: ForwardRequest) -> str | None:
        """Say why this request cannot be answered, or None."""
        for reading in request.readings:
            if reason := self.capabilities.lacks(reading) or unknown_words(reading, self.vocabulary):
                return reason
        layout, encoding = self.network.layout, encode_plain(request.sample, self._vocabulary)
        if len(encoding.ids) > layout.max_length:
            return (
                f"its caption has {len(encoding.ids)} tokens with [CLS] and [SEP], "
                f"this model was trained on {layout.max_length}"
            )
        unseen = layout.region_width and region_refusal(request.sample, layout, self.encoder)
        return unseen or hides_badly(request, encoding)

    def forward(self, requests: Sequence[ForwardRequest]) -> list[Trace]:
        """Answer requests in one pass, traces in their order; `RequestError` names the first that is refused."""
        for request in requests:
            if reason := self.refusal(request):
                raise RequestError(f"sample {request.sample.id}: {reason}")
        captions = [encode_plain(request.sample, self._vocabulary) for request in requests]
        readings = frozenset(reading for request in requests for reading in request.readings)
        with torch.inference_mode(), exact_float32():
            inputs = self._inputs([request.sample for request in requests], captions)
            streams = self.network.forward(inputs, self._wanted(readings))
            answers = Answers(self.network, self.capabilities, self.vocabulary, captions, inputs, streams)
            return [self._trace(request, i, captions[i], answers) for i, request in enumerate(requests)]

    def _inputs(self, samples: Sequence[Sample], captions: Sequence[Encoding]) -> Inputs:
        ids = [torch.tensor(caption.ids, device=self.device) for caption in captions]
        padded = pad_sequence(ids, batch_first=True, padding_value=self._vocabulary.pad)
        mask = pad_sequence([torch.ones_like(row) for row in ids], batch_first=True)
        if self.network.layout.region_width is None:
            return Inputs(padded, mask)
        boxes = [boxes_of(sample, self.encoder) for sample in samples]
        rows = list(zip(features_of(samples, self.encoder), boxes, strict=True))
        if self.network.layout.global_region:
            rows = [with_global(features, places.to(features)) for features, places in rows]
        present = pad_sequence([torch.ones(len(places), dtype=torch.long) for _, places in rows], batch_first=True)
        return Inputs(
            padded, mask, self._stacked([f for f, _ in rows]), self._stacked([b for _, b in rows]), present.to(mask)
        )

    def _stacked(self, rows: Sequence[Tensor]) -> Tensor:
        return pad_sequence([row.to(self.device, self._dtype) for row in rows], batch_first=True)

    def _wanted(self, readings: frozenset[Reading]) -> Wanted:
        """Unite what is read inside the pass."""
        attention: set[tuple[Modality, Modality, int]] = set()
        states: set[tuple[Modality, int]] = set()
        for reading in readings:
            if isinstance(reading, Attention):
                attention |= {(reading.queries, reading.keys, layer) for layer in self.capabilities.layers(reading)}
            if isinstance(reading, Hidden):
                states |= {(reading.modality, stage) for stage in self.capabilities.stages(reading)}
        return Wanted(frozenset(attention), frozenset(states))

    def _trace(self, request: ForwardRequest, number: int, caption: Encoding, answers: Answers) -> Trace:
        layout = self.network.layout
        axis = None if layout.region_width is None else region_axis(request.sample, layout)
        arrays = {reading: answers.read(reading, number, axis) for reading in request.readings}
        return Trace(request.key, arrays, caption.axis, axis)


def capabilities_of(layout: Layout) -> Capabilities:
    """Say in the terms of the boundary what a network of this layout can answer."""
    readings: set[type[Reading]] = {Words, HiddenPieces, Hidden, Attention}
    readings |= {Match} if layout.matches else set()
    readings |= {RegionClasses} if layout.classes else set()
    return Capabilities(
        architecture=layout.architecture,
        readings=frozenset(readings),
        visual_unit=None if layout.region_width is None else "region",
        joint_softmax=layout.joint_softmax,
        attention={pair: AttentionShape(layers, layout.heads) for pair, layers in layout.attention.items()},
        hidden=layout.states,
        word_probability="vocabulary",
        match="log-odds" if layout.matches else None,
        region_width=layout.region_width,
    )
