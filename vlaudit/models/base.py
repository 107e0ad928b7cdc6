"""The model boundary: requests go in, traces come out, capabilities declare what can be requested.

`docs/decisions/0001-model-boundary.md` discusses the architectures that it covers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import torch

from vlaudit.errors import CheckpointError
from vlaudit.samples import Sample
from vlaudit.seeds import digest
from vlaudit.traces import Attention, Hidden, Modality, Reading, Trace

Architecture = Literal["single-stream", "two-stream", "cross-attention", "dual-encoder", "text-only", "generative"]


@dataclass(frozen=True)
class AttentionShape:
    """Layers (numbered from 0 through the whole model) with an attention of this kind, and its number of heads."""

    layers: tuple[int, ...]
    heads: int


@dataclass(frozen=True)
class Capabilities:
    """Readings, layers and units that a model can answer.

    `architecture`: how the modalities are fused. single-stream and two-stream models read both in one stack or in two
    with cross-modality layers; in cross-attention models text states read finished image states; a dual encoder never
    fuses.
    `joint_softmax`: text and image keys share one softmax, so that a query's two slices sum to 1 together; where False
    each slice's rows sum to 1. A measure that compares mass across modalities needs True.
    `visual_unit`: the part of the image at an image position; None for a model that reads no image.
    `region_width`: width of the region features that a sample must have; None where none are needed.
    `word_probability`: `Words` are over the full vocabulary, or over the given candidates alone.
    `match`: `Match` is the log-odds that both belong together, or a score that compares captions of one image only.
    """

    architecture: Architecture
    readings: frozenset[type[Reading]]
    visual_unit: Literal["patch", "region"] | None
    joint_softmax: bool = False
    attention: Mapping[tuple[Modality, Modality], AttentionShape] = field(default_factory=dict)
    hidden: Mapping[Modality, tuple[int, ...]] = field(default_factory=dict)
    features: frozenset[Modality] = frozenset()
    word_probability: Literal["vocabulary", "candidates"] | None = None
    match: Literal["log-odds", "score"] | None = None
    region_width: int | None = None

    def lacks(self, reading: Reading) -> str | None:
        """Return why a model with these capabilities cannot answer `reading`; None where it can."""
        if type(reading) not in self.readings:
            return f"a {self.architecture} model of this kind has no {type(reading).__name__}"
        if isinstance(reading, Attention):
            shape = self.attention.get((reading.queries, reading.keys))
            what = f"attention of {reading.queries} on {reading.keys}"
            return _lacks_some(what, reading.layers, shape.layers if shape else None)
        if isinstance(reading, Hidden):
            return _lacks_some(f"hidden {reading.modality} states", reading.stages, self.hidden.get(reading.modality))
        modality = getattr(reading, "modality", None)
        if modality is not None and modality not in self.features:
            return f"it has no {modality} feature"
        return None

    def layers(self, reading: Attention) -> tuple[int, ...]:
        """Return the layers that this reading requests, in order."""
        return self.attention[reading.queries, reading.keys].layers if reading.layers is None else reading.layers

    def stages(self, reading: Hidden) -> tuple[int, ...]:
        """Return the stages that this reading requests, in order."""
        return self.hidden[reading.modality] if reading.stages is None else reading.stages


def _lacks_some(what: str, requested: tuple[int, ...] | None, had: tuple[int, ...] | None) -> str | None:
    if not had:
        return f"it has no {what}"
    missing = sorted(set(requested or ()) - set(had))
    return f"it has no {what} at {missing}, only at {list(had)}" if missing else None


@dataclass(frozen=True)
class ForwardRequest:
    """One sample, and the readings to return from a pass over it."""

    sample: Sample
    readings: frozenset[Reading]

    @cached_property
    def key(self) -> str:
        """Digest of everything that a model can read in the sample; equal keys merge into one pass."""
        sample = self.sample
        return digest(
            sample.image and sample.image.key,
            sample.caption,
            tuple(sample.hidden_phrases),
            tuple(region.key for region in sample.regions),
        )

    def with_readings(self, readings: frozenset[Reading]) -> ForwardRequest:
        """Return the request with other readings; the key does not depend on them and is computed once."""
        other = ForwardRequest(self.sample, readings)
        other.__dict__["key"] = self.key
        return other


@dataclass(frozen=True)
class LoadOptions:
    """Arguments of a family's `load`, or of an adapter class of one's own.

    `checkpoint` is an existing file or folder for an adapter of one's own, or None where the user named none; a family
    receives its bundled file instead of None. `tokenizer` is a folder, a name in the Hugging Face cache, or a
    tokenizer object. `image_size` (pixels) replaces the resolution of the checkpoint; `momentum` also loads the
    momentum copies of the weights. Device and dtype are checked before the options are made.
    """

    checkpoint: Path | None
    device: torch.device
    dtype: torch.dtype = torch.float32
    tokenizer: Any = None
    download: bool = False
    image_size: int | None = None
    momentum: bool = False

    @property
    def weights(self) -> Path:
        """The checkpoint, for a loader that requires one; `CheckpointError` where none was given."""
        if self.checkpoint is None:
            raise CheckpointError("--checkpoint: this model requires a weights file, got none; give --checkpoint PATH")
        return self.checkpoint


@runtime_checkable
class ModelAdapter(Protocol):
    """Answers requests for one checkpoint. Check your own with `vlaudit.check_adapter`.

    `name` is the family (vilbert and ctrl_vilbert are one model and always have the same name), `fingerprint`
    identifies the weights (a SHA-256 where they come from a file), `vocabulary` maps every word and piece to its id
    (empty for a model that cannot answer `Words`).
    """

    name: str
    capabilities: Capabilities
    vocabulary: Mapping[str, int]

    @property
    def fingerprint(self) -> str:
        """Identifier of the weights, an attribute or computed."""
        ...

    def refusal(self, request: ForwardRequest) -> str | None:
        """Return why this request cannot be answered, or None; cheap, no pass is run."""
        ...

    def forward(self, requests: Sequence[ForwardRequest]) -> list[Trace]:
        """Answer requests in one pass, traces in the order of requests.

        Raises `RequestError` where `refusal` would give a reason. Order, padding and the rest of the batch change a
        trace by rounding errors at most.
        """
        ...
