"""The adapter of every encoder: captions, images, regions, refusals, batches and answers around one network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn

from vlaudit.errors import AdapterError, RequestError
from vlaudit.models.base import AttentionShape, Capabilities, ForwardRequest
from vlaudit.models.lru_cache import LRUCache
from vlaudit.models.precision import exact_float32
from vlaudit.models.provenance import Loaded, Provenance
from vlaudit.models.region_encoder import RegionEncoder
from vlaudit.models.streams.batches import BatchBuilder, Row
from vlaudit.models.streams.candidates import CandidateScores, candidate_scores
from vlaudit.models.streams.captions import Encoding, hiding_fault, unknown_words
from vlaudit.models.streams.contract import (
    FeatureHeads,
    JointNetwork,
    Layout,
    MatchHead,
    Network,
    RegionHead,
    StagedNetwork,
    Wanted,
    WordHead,
)
from vlaudit.models.streams.passes import JointPasses, Needs, Passes, StagedPasses
from vlaudit.models.streams.trace_reader import TraceReader, match_scores
from vlaudit.models.vocabulary import Vocabulary
from vlaudit.traces import (
    Attention,
    Feature,
    Hidden,
    HiddenPieces,
    Match,
    Modality,
    Reading,
    RegionClasses,
    Trace,
    Words,
)

CHECKED = 8192
"""Samples whose encoding and refusal are remembered between planning, checking and answering; about 25 MB."""


@dataclass(frozen=True)
class _Checked:
    """Checks of a sample before a pass: its tokenized caption, and the reason if it cannot be read."""

    caption: Encoding
    caption_fault: str | None
    image_fault: str | None


class EncoderAdapter(Loaded):
    """Answers requests with one network, joint or staged (see `vlaudit.models.streams.contract`).

    `encoder` computes features for regions that have none from the pixels in their boxes; without it they are refused.
    It must be the encoder that the checkpoint was trained with: features of another mean nothing to the model.
    Of a staged network the last `images` image encodings and `texts` text encodings are remembered.
    Raises `AdapterError` where the layout declares a head that the network lacks.
    """

    def __init__(
        self,
        name: str,
        network: Network,
        vocabulary: Vocabulary,
        provenance: Callable[[], Provenance],
        *,
        encoder: RegionEncoder | None = None,
        images: int = 64,
        texts: int = 256,
    ) -> None:
        super().__init__(provenance)
        module = cast(nn.Module, network)
        module.eval().requires_grad_(requires_grad=False)
        self.name, self.network, self.layout = name, network, network.layout
        self.capabilities = capabilities_of(self.layout)
        _check_heads(network)
        self.vocabulary: Mapping[str, int] = vocabulary.ids
        self._vocabulary = vocabulary
        weight = next(module.parameters())
        self.device = weight.device
        self._batches = BatchBuilder(self.layout, vocabulary.pad, weight.device, weight.dtype, encoder)
        self._passes = _passes(network, self._batches, images=images, texts=texts)
        self._checked: LRUCache[_Checked] = LRUCache(CHECKED)
        self._faults: LRUCache[str | None] = LRUCache(CHECKED)

    @property
    def encoder(self) -> RegionEncoder | None:
        """The region encoder that the checkpoint was trained with; None where features must be given."""
        return self._batches.encoder

    def refusal(self, request: ForwardRequest) -> str | None:
        """Return why this request cannot be answered, or None."""
        fault = self._faults.get_one(request.readings, lambda: self._reading_fault(request.readings))
        if fault is not None:
            return fault
        checked = self._check(request)
        unseen = checked.image_fault if self._needs(request.readings).image else None
        return checked.caption_fault or unseen or hiding_fault(request, checked.caption)

    def _reading_fault(self, readings: frozenset[Reading]) -> str | None:
        for reading in readings:
            if reason := self.capabilities.lacks(reading) or unknown_words(reading, self.vocabulary):
                return reason
            if reading == Words() and self.capabilities.word_probability == "candidates":
                return "it compares candidate words, so Words must name some"
        return None

    def _check(self, request: ForwardRequest) -> _Checked:
        """Tokenize and check a sample; remembered, because it is planned, checked and answered."""

        def compute() -> _Checked:
            sample, policy = request.sample, self.layout.captions
            caption = policy.encode(sample, self._vocabulary)
            too_long = policy.too_long(sample.caption, caption, self.layout.max_length)
            return _Checked(caption, too_long, self._batches.fault(sample))

        return self._checked.get_one(request.key, compute)

    def forward(self, requests: Sequence[ForwardRequest]) -> list[Trace]:
        """Answer requests in one pass, traces in their order; `RequestError` names the first that is refused."""
        for request in requests:
            if reason := self.refusal(request):
                raise RequestError(f"sample {request.sample.id}: {reason}")
        groups: dict[Needs, list[int]] = {}
        for number, request in enumerate(requests):
            groups.setdefault(self._needs(request.readings), []).append(number)
        traces: dict[int, Trace] = {}
        with torch.inference_mode(), exact_float32():
            for needs, numbers in groups.items():
                traces |= zip(numbers, self._answer([requests[i] for i in numbers], needs), strict=True)
        return [traces[i] for i in range(len(requests))]

    def _answer(self, requests: Sequence[ForwardRequest], needs: Needs) -> list[Trace]:
        """Answer requests that need the same stages."""
        rows = [Row(request.sample, self._check(request).caption) for request in requests]
        readings = frozenset(reading for request in requests for reading in request.readings)
        candidates = self._candidates(requests, rows)
        direct = not candidates or any(not isinstance(reading, Words) for reading in readings)
        passes = self._passes.run(rows, self._wanted(readings), needs) if direct else Passes(None)
        captions = [row.caption for row in rows]
        reader = TraceReader(self.network, self.capabilities, self.vocabulary, captions, passes, candidates)
        return [self._trace(request, number, reader) for number, request in enumerate(requests)]

    def _candidates(self, requests: Sequence[ForwardRequest], rows: Sequence[Row]) -> dict[int, CandidateScores]:
        """Score the candidates of `Words`, where the network has no word head."""
        if self.layout.words:
            return {}

        def score(filled: Sequence[Row]) -> torch.Tensor:
            fused = self._passes.run(filled, Wanted(), Needs()).fused
            if fused is None:
                raise RequestError("a pass over filled captions was not run")
            return match_scores(self.network, fused.held)[list(fused.rows)]

        return candidate_scores(rows, [request.readings for request in requests], self.vocabulary, score)

    def _trace(self, request: ForwardRequest, number: int, reader: TraceReader) -> Trace:
        axis = self._batches.axis(request.sample)
        arrays = {reading: reader.read(reading, number, axis) for reading in request.readings}
        return Trace(request.key, arrays, reader.captions[number].axis, axis)

    def _wanted(self, readings: frozenset[Reading]) -> Wanted:
        """Return the states and attention that these readings need from inside the pass."""
        attention: set[tuple[Modality, Modality, int]] = set()
        states: set[tuple[Modality, int]] = set()
        for reading in readings:
            if isinstance(reading, Attention):
                attention |= {(reading.queries, reading.keys, layer) for layer in self.capabilities.layers(reading)}
            if isinstance(reading, Hidden):
                states |= {(reading.modality, stage) for stage in self.capabilities.stages(reading)}
        return Wanted(frozenset(attention), frozenset(states))

    def _needs(self, readings: frozenset[Reading]) -> Needs:
        """Return the stages that these readings need; a joint network always runs whole."""
        if not isinstance(self._passes, StagedPasses):
            return Needs()
        fusion = any(map(self._reads_fusion, readings))
        image = any(getattr(each, "queries", getattr(each, "modality", None)) == "image" for each in readings)
        return Needs(fusion or image, fusion)

    def _reads_fusion(self, reading: Reading) -> bool:
        first = self.layout.fused_from
        match reading:
            case Words() | HiddenPieces() | Match() | Attention(queries="text", keys="image"):
                return True
            case Attention(queries="text"):
                return any(layer >= first for layer in self.capabilities.layers(reading))
            case Hidden(modality="text"):
                return any(stage > first for stage in self.capabilities.stages(reading))
        return False


def capabilities_of(layout: Layout) -> Capabilities:
    """Return the capabilities of a network of this layout."""
    fills = layout.match is not None and not layout.words
    declared: dict[type[Reading], bool] = {
        Words: layout.words or fills,
        HiddenPieces: layout.words,
        Match: layout.match is not None,
        RegionClasses: bool(layout.classes),
        Feature: bool(layout.features),
        Hidden: True,
        Attention: True,
    }
    heads = layout.heads
    return Capabilities(
        architecture=layout.architecture,
        readings=frozenset(reading for reading, has in declared.items() if has),
        visual_unit="region" if layout.region_width is not None else "patch" if layout.pixels is not None else None,
        joint_softmax=layout.joint_softmax,
        attention={
            pair: AttentionShape(layers, heads if isinstance(heads, int) else heads[pair])
            for pair, layers in layout.attention.items()
        },
        hidden=layout.states,
        features=layout.features,
        word_probability="vocabulary" if layout.words else "candidates" if fills else None,
        match=layout.match,
        region_width=layout.region_width,
    )


def _check_heads(network: Network) -> None:
    layout = network.layout
    declared: dict[type, bool] = {
        WordHead: layout.words,
        MatchHead: layout.match is not None,
        RegionHead: bool(layout.classes),
        FeatureHeads: bool(layout.features),
    }
    lacking = [head.__name__ for head, has in declared.items() if has and not isinstance(network, head)]
    if lacking:
        raise AdapterError(
            f"{type(network).__name__}: its layout declares heads that it has no methods for: {', '.join(lacking)}; "
            "implement these protocols of vlaudit.models.streams.contract, or take the heads out of the layout"
        )


def _passes(network: Network, batches: BatchBuilder, *, images: int, texts: int) -> JointPasses | StagedPasses:
    if isinstance(network, StagedNetwork):
        return StagedPasses(network, batches, images=images, texts=texts)
    if isinstance(network, JointNetwork):
        return JointPasses(network, batches)
    raise AdapterError(
        f"{type(network).__name__} is no network: it needs `layout` and either `forward(inputs, wanted)` or the three "
        "stages of vlaudit.models.streams.contract.StagedNetwork"
    )
