"""Two models without weights: one answers from the truth stated in the sample, one ignores the image.

They let a user try an audit at once; tests show that every audit passes the first and fails the second. Both are
single-stream models over regions with one softmax: [CLS] and one position per word, one global position and one per
region.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor

from vlaudit.errors import RequestError
from vlaudit.models.base import AttentionShape, Capabilities, ForwardRequest
from vlaudit.samples import Box, Region, Sample, Span, words_of
from vlaudit.seeds import generator
from vlaudit.traces import (
    Attention,
    Feature,
    Hidden,
    ImageAxis,
    Match,
    Modality,
    Reading,
    TextAxis,
    Trace,
    Words,
)

LAYERS, HEADS, WIDTH = 4, 4, 16
_SURE = 0.9
_APART = 2.0 * (-1.0) ** torch.arange(WIDTH)
"""Offset of image states at stage 0, negated for text states; its mean is 0, so that layer normalisation keeps it."""
_MODALITIES: tuple[Modality, ...] = ("text", "image")

_CAPABILITIES = Capabilities(
    architecture="single-stream",
    readings=frozenset({Words, Match, Feature, Hidden, Attention}),
    visual_unit="region",
    joint_softmax=True,
    attention={(q, k): AttentionShape(tuple(range(LAYERS)), HEADS) for q, k in product(_MODALITIES, _MODALITIES)},
    hidden={modality: tuple(range(LAYERS + 1)) for modality in _MODALITIES},
    features=frozenset(_MODALITIES),
    word_probability="candidates",
    match="log-odds",
)


class _Toy:
    """Base of both toys: positions, and readings made of a few answers that subclasses give."""

    name = "toy"
    capabilities = _CAPABILITIES

    def __init__(self) -> None:
        self.fingerprint = f"{self.name}, no weights"
        self.vocabulary: Mapping[str, int] = {}

    def refusal(self, request: ForwardRequest) -> str | None:
        """Return the reason why this request cannot be answered, or None."""
        for reading in request.readings:
            if lacks := self.capabilities.lacks(reading):
                return lacks
            if reading in (Words(), Words(())) and self.capabilities.word_probability == "candidates":
                return "it chooses between candidate words, so Words needs some"
        if not words_of(request.sample.caption):
            return "its caption has no word"
        axis = _text_axis(request.sample)
        if any(len(phrase) != 1 for phrase in axis.hidden):
            return "a hidden phrase must be one word"
        return None

    def forward(self, requests: Sequence[ForwardRequest]) -> list[Trace]:
        """Answer each request from its sample."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: ForwardRequest) -> Trace:
        if reason := self.refusal(request):
            raise RequestError(f"sample {request.sample.id}: {reason}")
        text, image = _text_axis(request.sample), _image_axis(request.sample)
        arrays = {reading: self._read(reading, request.sample, text, image) for reading in request.readings}
        return Trace(request.key, arrays, text, image)

    def _read(self, reading: Reading, sample: Sample, text: TextAxis, image: ImageAxis) -> Tensor:
        match reading:
            case Words(words):
                rows = [self.word_probabilities(sample, span, words or ()) for span in sample.hidden_phrases]
                return torch.stack(rows).log() if rows else torch.zeros(0, len(words or ()))
            case Match():
                return torch.tensor(self.log_odds(sample))
            case Feature("text"):
                return _unit(_bag([sample.text(span) for span in _open_words(sample)]))
            case Feature("image"):
                return _unit(self.image_bag(sample))
            case Hidden(modality):
                return torch.stack([self.states(sample, modality, s) for s in self.capabilities.stages(reading)])
            case Attention(queries, keys):
                layers = len(self.capabilities.layers(reading))
                joint = self.joint_attention(sample, text, image).expand(layers, -1, -1, -1)
                own = {"text": slice(0, len(text)), "image": slice(len(text), None)}
                return joint[:, :, own[queries], own[keys]]
        raise RequestError(f"{self.name} has no {type(reading).__name__}")

    def word_probabilities(self, sample: Sample, span: Span, words: tuple[str, ...]) -> Float[Tensor, "words"]:
        """Return the probability of each candidate at a hidden word."""
        raise RequestError(f"{self.name} does not choose words")

    def log_odds(self, sample: Sample) -> float:
        """Return the log-odds that caption and image belong together."""
        raise RequestError(f"{self.name} does not match")

    def image_bag(self, sample: Sample) -> Float[Tensor, "width"]:
        """Return the vector of the image contents, before it is scaled to unit length."""
        raise RequestError(f"{self.name} has no image feature")

    def mixing(self, stage: int) -> float:
        """Return the share of the image in the text states of a stage, 0 to 1."""
        raise RequestError(f"{self.name} has no states")

    def states(self, sample: Sample, modality: Modality, stage: int) -> Float[Tensor, "positions width"]:
        """Return the hidden states of one modality at one stage: the vector of each position, mixed with the image."""
        met = self.image_bag(sample) / max(len(sample.regions), 1) ** 0.5  # as long as the vector of a word
        if modality == "text":
            own = [
                "[CLS]",
                *(sample.text(span) if span in _open_words(sample) else "[MASK]" for span in _all(sample)),
            ]
            offset = -_APART
        else:
            own = ["[GLOBAL]", *(region.label for region in sample.regions)]
            offset = _APART
        mixed = self.mixing(stage)
        return torch.stack([_vector(word) for word in own]) + (1 - mixed) * offset + mixed * met

    def joint_attention(
        self, sample: Sample, text: TextAxis, image: ImageAxis
    ) -> Float[Tensor, "heads positions positions"]:
        """Return the attention of one layer over text and image positions together; uniform here."""
        positions = len(text) + len(image)
        return torch.full((HEADS, positions, positions), 1 / positions)


class GroundedToy(_Toy):
    """Answers from the truth stated in the sample: labels and attributes of its visible regions.

    Masked words are the label or an attribute of the region that their slot names; a caption matches where every word
    that can be checked is true; head 0 links words to their regions, head 1 regions to their words.
    """

    name = "toy-grounded"

    def word_probabilities(self, sample: Sample, span: Span, words: tuple[str, ...]) -> Float[Tensor, "words"]:
        """Return 0.9 shared by the words that are true of the image at the span, and 0.1 shared by the others."""
        spoken = {sample.text(open_word) for open_word in _open_words(sample) if _same_phrase(sample, open_word, span)}
        true = {word for region in _named(sample, span) for word in _seen(region)} - spoken
        right = torch.tensor([word in true for word in words], dtype=torch.float32)
        if not right.any() or right.all():
            return torch.full((len(words),), 1 / len(words))
        return _SURE * right / right.sum() + (1 - _SURE) * (1 - right) / (1 - right).sum()

    def log_odds(self, sample: Sample) -> float:
        """Return 4 where every checkable word is true; -4 where nothing is, and a little less for every false word."""
        checks = [
            sample.text(slot) in {word for region_id in slot.region_ids for word in _seen(sample.region(region_id))}
            for slot in sample.slots
            if not any(slot.start < hidden.end and hidden.start < slot.end for hidden in sample.hidden_phrases)
        ]
        if checks:
            return 4.0 if all(checks) else -4.0 - checks.count(False) / len(checks)
        said = {sample.text(span) for span in _open_words(sample)}
        shown = {word for region in sample.regions for word in _seen(region)}
        return 4.0 if said & shown else -4.0

    def image_bag(self, sample: Sample) -> Float[Tensor, "width"]:
        """Sum the vectors of all that is visible."""
        return _bag([word for region in sample.regions for word in _seen(region)])

    def mixing(self, stage: int) -> float:
        """Take the image in evenly with depth, wholly at the end."""
        return stage / LAYERS

    def joint_attention(
        self, sample: Sample, text: TextAxis, image: ImageAxis
    ) -> Float[Tensor, "heads positions positions"]:
        """Link words and regions of one phrase in heads 0 and 1; heads 2 and 3 stay uniform."""
        heads = super().joint_attention(sample, text, image).clone()
        links = torch.zeros(len(text), len(image))
        for phrase in sample.phrases:
            for position in text.positions(phrase.start, phrase.end):
                for row, region in enumerate(sample.regions, start=1):
                    if region.id in phrase.region_ids and region.visible:
                        links[position, row] = 1.0
        heads[0, : len(text)] = _blend(heads[0, : len(text)], links, len(text))
        heads[1, len(text) :] = _blend(heads[1, len(text) :], links.T, 0)
        return heads


class BlindToy(_Toy):
    """Ignores the image: its answers depend on the caption alone, so it must fail every audit that needs the image.

    Of the adapter checks it fails `image_is_read`, by design, and `candidates`: it prefers a candidate by its number.
    """

    name = "toy-blind"

    def word_probabilities(self, sample: Sample, span: Span, words: tuple[str, ...]) -> Float[Tensor, "words"]:
        """Prefer one candidate, chosen by the open words; the image has no effect."""
        open_words = [sample.text(open_word) for open_word in _open_words(sample)]
        favourite = int(generator(0, *open_words).integers(len(words)))
        probabilities = torch.full((len(words),), (1 - _SURE) / max(len(words) - 1, 1))
        probabilities[favourite] = _SURE if len(words) > 1 else 1.0
        return probabilities

    def log_odds(self, sample: Sample) -> float:
        """Return log-odds of 2 to 3, depending on the open words of the caption."""
        return 2 + float(generator(1, *(sample.text(span) for span in _open_words(sample))).uniform())

    def image_bag(self, sample: Sample) -> Float[Tensor, "width"]:
        """Return the same vector for every image."""
        return torch.ones(WIDTH)

    def mixing(self, stage: int) -> float:
        """Return 0: no text state contains the image."""
        return 0.0

    def joint_attention(
        self, sample: Sample, text: TextAxis, image: ImageAxis
    ) -> Float[Tensor, "heads positions positions"]:
        """Return uniform attention over the text alone."""
        heads = torch.zeros_like(super().joint_attention(sample, text, image))
        heads[:, :, : len(text)] = 1 / len(text)
        return heads


def _all(sample: Sample) -> list[Span]:
    return words_of(sample.caption)


def _open_words(sample: Sample) -> list[Span]:
    hidden = sample.hidden_phrases
    return [w for w in _all(sample) if not any(w.start < h.end and h.start < w.end for h in hidden)]


def _text_axis(sample: Sample) -> TextAxis:
    axis = TextAxis((None, *_all(sample)))
    return TextAxis(axis.spans, tuple(axis.positions(*phrase) for phrase in sample.hidden_phrases))


def _image_axis(sample: Sample) -> ImageAxis:
    boxes: tuple[Box | None, ...] = (None, *(region.box for region in sample.regions))
    return ImageAxis(boxes, "region")


def _named(sample: Sample, span: Span) -> list[Region]:
    """Return the regions that the caption names at a span, by its slots, else by its phrases."""
    for parts in (sample.slots, sample.phrases):
        ids = [i for part in parts if part.start < span.end and span.start < part.end for i in part.region_ids]
        if ids:
            return [sample.region(region_id) for region_id in ids]
    return []


def _same_phrase(sample: Sample, one: Span, other: Span) -> bool:
    return any(p.start <= min(one.start, other.start) and max(one.end, other.end) <= p.end for p in sample.phrases)


def _seen(region: Region) -> tuple[str, ...]:
    return (region.label, *region.attributes) if region.visible else ()


def _vector(word: str) -> Float[Tensor, "width"]:
    return torch.from_numpy(generator(2, word).standard_normal(WIDTH)).float()


def _bag(words: Sequence[str]) -> Float[Tensor, "width"]:
    return torch.stack([torch.full((WIDTH,), 1e-3), *map(_vector, words)]).sum(0)


def _unit(vector: Float[Tensor, "width"]) -> Float[Tensor, "width"]:
    return torch.nn.functional.normalize(vector, dim=0)


def _blend(rows: Tensor, links: Tensor, first_key: int) -> Tensor:
    """Move 0.9 of the mass of each linked row onto its links; `links` starts at key `first_key`."""
    linked = torch.zeros_like(rows)
    linked[:, first_key : first_key + links.shape[1]] = links / links.sum(-1, keepdim=True).clamp(min=1)
    has = links.any(-1, keepdim=True)
    return torch.where(has, _SURE * linked + (1 - _SURE) * rows, rows)
