"""The adapter of a control: a model with a defect in front of it, behind it or inside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from typing import Any

from torch import Tensor

from vlaudit.controls import CONTROLS
from vlaudit.errors import RequestError, UsageError
from vlaudit.models.base import Capabilities, ForwardRequest, ModelAdapter
from vlaudit.samples import Sample
from vlaudit.traces import ImageAxis, Reading, TextAxis, Trace


class Defect:
    """Base class of defects of one model; by default the model stays unchanged.

    `samples` are samples of the run that the model can read, one per image.
    """

    def __init__(self, model: ModelAdapter, samples: Sequence[Sample]) -> None:
        self.model, self.samples = model, samples

    def unavailable(self) -> str | None:
        """Return why the model cannot have this defect, or None."""
        return None

    def inputs(self, request: ForwardRequest) -> list[ForwardRequest]:
        """Return the requests whose traces answer `request`; the axes of the answer are those of the first."""
        return [request]

    def answer(self, reading: Reading, trace: Trace, request: ForwardRequest) -> Tensor:
        """Return the answer to a reading of `request` from the trace that has it."""
        return trace[reading]

    def axes(self, trace: Trace, request: ForwardRequest) -> tuple[TextAxis, ImageAxis | None]:
        """Return the axes of the answer in the caption and the image of `request`."""
        return trace.text, trace.image


class ControlAdapter:
    """A model with a defect, as a `ModelAdapter`; what the defect does not concern is the model's own."""

    def __init__(self, control: str, base: ModelAdapter, defect: Defect) -> None:
        self.control, self.base, self.defect = control, base, defect
        self.name: str = base.name
        self.capabilities: Capabilities = base.capabilities
        self.vocabulary: Mapping[str, int] = base.vocabulary

    def __getattr__(self, name: str) -> Any:
        if name in ("base", "control", "defect"):  # not set yet, while it is copied
            raise AttributeError(name)
        return getattr(self.base, name)

    @property
    def fingerprint(self) -> str:
        """Identifier of the weights, with the name of the control."""
        return f"{self.base.fingerprint}+{self.control}"

    def refusal(self, request: ForwardRequest) -> str | None:
        """Return why the model cannot answer this request, unchanged or with the defect; None if it can."""
        model = self.defect.model
        if reason := model.refusal(request):
            return reason
        return next((reason for one in self.defect.inputs(request) if (reason := model.refusal(one))), None)

    def forward(self, requests: Sequence[ForwardRequest]) -> list[Trace]:
        """Answer requests in one pass, traces in their order; `RequestError` names the first that is refused."""
        for request in requests:
            if reason := self.refusal(request):
                raise RequestError(f"sample {request.sample.id}: {reason}")
        inputs = [self.defect.inputs(request) for request in requests]
        distinct = {(one.key, one.readings): one for own in inputs for one in own}
        traces = dict(zip(distinct, self.defect.model.forward(list(distinct.values())), strict=True))
        return [
            self._answer(request, [traces[one.key, one.readings] for one in own])
            for request, own in zip(requests, inputs, strict=True)
        ]

    def _answer(self, request: ForwardRequest, traces: Sequence[Trace]) -> Trace:
        text, image = self.defect.axes(traces[0], request)
        holding = {reading: next(one for one in traces if reading in one.arrays) for reading in request.readings}
        arrays = {reading: self.defect.answer(reading, trace, request) for reading, trace in holding.items()}
        return Trace(request.key, arrays, text, image)


def with_control(name: str, model: ModelAdapter, samples: Sequence[Sample]) -> ControlAdapter:
    """Return the control of a model; some defects show it other samples, from `samples`, those of the run.

    Raises `UsageError` where the model cannot have this defect.
    """
    module, _, kind = CONTROLS[name].made_by.partition(":")
    make: type[Defect] = getattr(import_module(f"vlaudit.controls.{module}"), kind)
    defect = make(model, _readable(model, samples))
    if reason := defect.unavailable():
        raise UsageError(f"--control {name}: not available for {model.name}: {reason}; choose another control")
    return ControlAdapter(name, model, defect)


def _readable(model: ModelAdapter, samples: Sequence[Sample]) -> list[Sample]:
    """Return the first sample of every image that the model can read."""
    readable = (one for one in samples if model.refusal(ForwardRequest(one, frozenset())) is None)
    return list({one.image_id: one for one in [*readable][::-1]}.values())[::-1]


def split(request: ForwardRequest, kind: type[Reading]) -> tuple[frozenset[Reading], frozenset[Reading]]:
    """Return the readings of a request that are of a kind, and the others."""
    those = frozenset(reading for reading in request.readings if isinstance(reading, kind))
    return those, request.readings - those


def open_text(sample: Sample) -> tuple[str, ...]:
    """Return the parts of the caption between its hidden phrases, which are all that a model may depend on."""
    edges = [0, *(edge for phrase in sorted(sample.hidden_phrases) for edge in phrase), len(sample.caption)]
    return tuple(sample.caption[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True))


def with_sample(request: ForwardRequest, **changes: Any) -> ForwardRequest:
    """Return the request with these fields of its sample replaced."""
    return ForwardRequest(replace(request.sample, **changes), request.readings)
