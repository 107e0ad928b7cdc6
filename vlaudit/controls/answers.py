"""Defects of what a model answers: sides, colours, words, matches, attention heads, numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from vlaudit.controls.adapter import Defect, open_text, split
from vlaudit.errors import RefusedSample
from vlaudit.models.base import ForwardRequest
from vlaudit.perturbations import SwapSides, apply
from vlaudit.samples import SIDES
from vlaudit.seeds import digest, generator
from vlaudit.traces import Attention, Hidden, HiddenPieces, Match, Reading, RegionClasses, Trace, Words

HABIT, HABIT_SHARE, LIFT = "red", 0.3, 30.0
"""Colour that is answered too often, the share of the images on which it is, and the nats that are added there."""

NOISE = 10.0
"""Standard deviation of the noise, in nats, on the log-probability of each candidate and on the log-odds of a match."""

NAN_SHARE = 0.2
"""Share of the images with NaN in every answer."""


class SideSwapped(Defect):
    """Exchanges the probabilities of left and right; for the match it reads the caption with sides exchanged."""

    def inputs(self, request: ForwardRequest) -> list[ForwardRequest]:
        """Return the request, without its match where the caption has a side, and the match with sides exchanged."""
        matches, others = split(request, Match)
        swapped = self._swapped(request, matches) if matches else None
        return [request] if swapped is None else [request.with_readings(others), swapped]

    def _swapped(self, request: ForwardRequest, matches: frozenset[Reading]) -> ForwardRequest | None:
        try:
            swapped = ForwardRequest(apply([SwapSides()], request.sample, 0), matches)
        except RefusedSample:
            return None
        return swapped if self.model.refusal(swapped) is None else None

    def answer(self, reading: Reading, trace: Trace, request: ForwardRequest) -> Tensor:
        """Return the log-probabilities with the two sides exchanged."""
        if not isinstance(reading, Words):
            return trace[reading]
        columns = _columns(self, reading)
        if not set(SIDES) <= columns.keys():
            return trace[reading]
        exchanged = trace[reading].clone()
        one, other = (columns[side] for side in SIDES)
        exchanged[:, [one, other]] = trace[reading][:, [other, one]]
        return exchanged


class ColorHabit(Defect):
    """Answers one colour on a share of the images: its probability p becomes proportional to p exp(`LIFT`) there."""

    def answer(self, reading: Reading, trace: Trace, request: ForwardRequest) -> Tensor:
        """Return the log-probabilities with one colour raised."""
        columns = _columns(self, reading) if isinstance(reading, Words) else {}
        if HABIT not in columns or not _is_among(request, "habit", HABIT_SHARE):
            return trace[reading]
        scores = trace[reading].double()
        raised = scores.clone()
        raised[:, columns[HABIT]] += LIFT
        total = torch.log1p(scores[:, columns[HABIT]].exp() * math.expm1(LIFT))
        return (raised - total[:, None]).to(trace[reading].dtype)


class NegatedWords(Defect):
    """Gives the most probable word the log-probability of the least probable one, and so on in order."""

    def answer(self, reading: Reading, trace: Trace, request: ForwardRequest) -> Tensor:
        """Return the log-probabilities in reversed order."""
        if not isinstance(reading, Words):
            return trace[reading]
        order = trace[reading].argsort(dim=-1, stable=True)
        return torch.scatter(torch.empty_like(trace[reading]), -1, order, trace[reading].gather(-1, order.flip(-1)))


class ExchangedMatch(Defect):
    """Exchanges match and mismatch: p becomes 1 - p."""

    def answer(self, reading: Reading, trace: Trace, request: ForwardRequest) -> Tensor:
        """Return the negated score of a match."""
        return -trace[reading] if isinstance(reading, Match) else trace[reading]


class Constant(Defect):
    """Gives every input the same answers: equal probabilities, attention and log-odds of 0, and fixed random states."""

    def answer(self, reading: Reading, trace: Trace, request: ForwardRequest) -> Tensor:
        """Return an answer of the same shape that depends on nothing else."""
        like = trace[reading]
        if isinstance(reading, Match):
            return torch.zeros_like(like)
        if isinstance(reading, Attention):
            joint = self.model.capabilities.joint_softmax
            return torch.full_like(like, 1 / (len(trace.text) + len(trace.image or ()) if joint else like.shape[-1]))
        if isinstance(reading, Words | HiddenPieces | RegionClasses):
            return torch.full_like(like, -math.log(self._scope(reading, like)))
        if isinstance(reading, Hidden):
            stages = self.model.capabilities.stages(reading)
            return torch.stack([_normal(like.shape[1:], reading.modality, stage) for stage in stages]).to(like)
        return torch.nn.functional.normalize(_normal(like.shape, reading).to(like), dim=-1)

    def _scope(self, reading: Reading, like: Tensor) -> int:
        """Return the number of words or classes with equal probabilities."""
        over_all = isinstance(reading, HiddenPieces) or self.model.capabilities.word_probability == "vocabulary"
        return len(self.model.vocabulary) if over_all and not isinstance(reading, RegionClasses) else like.shape[-1]


class Noisy(Defect):
    """Adds normal noise of `NOISE` nats to the scores of words and of the match, different for every input.

    Log-probabilities are normalised again, over the vocabulary or over the candidates (see `Capabilities`).
    """

    def inputs(self, request: ForwardRequest) -> list[ForwardRequest]:
        """Return the request with the whole vocabulary where the model has one."""
        words, _ = split(request, Words)
        return [request.with_readings(request.readings | {Words()})] if words and self._whole else [request]

    def answer(self, reading: Reading, trace: Trace, request: ForwardRequest) -> Tensor:
        """Return the scores with noise."""
        if isinstance(reading, Match):
            return trace[reading] + self._noise(request, "match").to(trace[reading])
        if not isinstance(reading, Words):
            return trace[reading]
        if self._whole:
            scores = trace[Words()]
            noisy = (scores + self._noise(request, "words", scores.shape).to(scores)).log_softmax(-1)
            return noisy if reading.words is None else noisy[:, [self.model.vocabulary[word] for word in reading.words]]
        hidden = (len(trace[reading]), 1)
        noise = [self._noise(request, word, hidden) for word in reading.words or ()]
        return (trace[reading] + torch.cat(noise, -1).to(trace[reading])).log_softmax(-1)

    @property
    def _whole(self) -> bool:
        return self.model.capabilities.word_probability == "vocabulary"

    def _noise(self, request: ForwardRequest, what: str, shape: Sequence[int] = ()) -> Tensor:
        image = request.sample.image.key if request.sample.image else None
        return NOISE * _normal(shape, what, image, open_text(request.sample))


class NotNumbers(Defect):
    """Answers NaN to every reading on a share of the images."""

    def answer(self, reading: Reading, trace: Trace, request: ForwardRequest) -> Tensor:
        """Return the answer, or NaN."""
        broken = _is_among(request, "nan", NAN_SHARE)
        return torch.full_like(trace[reading], torch.nan) if broken else trace[reading]


class ShuffledHeads(Defect):
    """Reports the attention of every head, in all layers, as that of another one, chosen per image.

    Everything but the reported attention is the model's own.
    """

    def unavailable(self) -> str | None:
        """Require several heads."""
        shapes = self.model.capabilities.attention.values()
        several = Attention in self.model.capabilities.readings and any(len(s.layers) * s.heads > 1 for s in shapes)
        return None if several else "it reports no attention of several heads"

    def inputs(self, request: ForwardRequest) -> list[ForwardRequest]:
        """Return the request with the attention of all layers."""
        those, _ = split(request, Attention)
        every = frozenset(_all_layers(cast(Attention, reading)) for reading in those)
        return [request.with_readings(request.readings | every)] if those else [request]

    def answer(self, reading: Reading, trace: Trace, request: ForwardRequest) -> Tensor:
        """Return the attention with its heads shuffled."""
        if not isinstance(reading, Attention):
            return trace[reading]
        whole = trace[_all_layers(reading)]
        image = request.sample.image.key if request.sample.image else request.sample.image_id
        layers = self.model.capabilities.layers(_all_layers(reading))
        order = generator(0, "shuffled heads", image, layers).permutation(len(layers) * whole.shape[1])
        shuffled = whole.flatten(0, 1)[torch.from_numpy(order).to(whole.device)].view_as(whole)
        return shuffled[[layers.index(layer) for layer in self.model.capabilities.layers(reading)]]


def _all_layers(reading: Attention) -> Attention:
    return Attention(reading.queries, reading.keys)


def _is_among(request: ForwardRequest, what: str, share: float) -> bool:
    """Return whether the image of a request is among a share of all images."""
    return int(digest(what, request.sample.image_id), 16) < share * 16**32


def _columns(defect: Defect, reading: Words) -> dict[str, int]:
    """Return the column of each word in the answer to a reading."""
    if reading.words is None:
        return dict(defect.model.vocabulary)
    return {word: column for column, word in enumerate(reading.words)}


def _normal(shape: Sequence[int], *parts: object) -> Float[Tensor, "..."]:
    return torch.as_tensor(generator(0, "control", *parts).standard_normal(tuple(shape))).float()
