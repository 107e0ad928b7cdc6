"""What comes out of a pass: readings that can be asked for, and the trace that answers them.

A trace names its text and image positions by characters of the caption and by boxes in pixels of the image, so that
a measure never sees a tokenizer or a patch grid. Attention is named by who asks and who answers, whatever the
architecture: `Attention("text", "image")` is text queries over image keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float
from torch import Tensor

from vlaudit.errors import RequestError
from vlaudit.samples import Box, Span

Modality = Literal["text", "image"]


@dataclass(frozen=True)
class Reading:
    """Something to bring back from a pass. Subclasses state the axes of what is brought back."""


@dataclass(frozen=True)
class Words(Reading):
    """Natural-log probabilities of `words` at every hidden position: (hidden, words); all words where None.

    Over the full vocabulary for masked language models, over the candidates alone for models that can only choose
    between them (`Capabilities.word_probability` says which). With None the words are `adapter.vocabulary` in the
    order of its ids. Every hidden phrase must be of one piece, and every candidate a single piece.
    """

    words: tuple[str, ...] | None = None


@dataclass(frozen=True)
class HiddenPieces(Reading):
    """Natural-log probability of the piece that stood at each hidden position: (hidden,). Phrases may have several."""


@dataclass(frozen=True)
class Match(Reading):
    """How well caption and image match: (). Log-odds or a bare score, `Capabilities.match` says which."""


@dataclass(frozen=True)
class Feature(Reading):
    """The unit-length vector that stands for one whole modality in contrastive matching: (width,)."""

    modality: Modality


@dataclass(frozen=True)
class Hidden(Reading):
    """Hidden states of one modality: (stages, positions, width). All stages in order where `stages` is None."""

    modality: Modality
    stages: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Attention(Reading):
    """Attention probabilities: (layers, heads, queries, keys). All layers in order where `layers` is None."""

    queries: Modality
    keys: Modality
    layers: tuple[int, ...] | None = None


@dataclass(frozen=True)
class RegionClasses(Reading):
    """Natural-log probabilities of the detector's classes at every region: (regions, classes)."""


@dataclass(frozen=True)
class TextAxis:
    """Where words lie among the text positions of a trace.

    `spans[i]` is what position i reads, in characters of the caption, or None for [CLS], [SEP] and their like, which
    are not text. `hidden[k]` are the positions of the sample's k-th hidden phrase.
    """

    spans: tuple[Span | None, ...]
    hidden: tuple[tuple[int, ...], ...] = ()

    def __len__(self) -> int:
        return len(self.spans)

    @property
    def text(self) -> tuple[int, ...]:
        """Positions that read characters of the caption."""
        return tuple(i for i, span in enumerate(self.spans) if span is not None)

    @property
    def hidden_positions(self) -> tuple[int, ...]:
        """Hidden positions of all phrases, in the order of `Words` and `HiddenPieces`."""
        return tuple(position for phrase in self.hidden for position in phrase)

    def positions(self, start: int, end: int) -> tuple[int, ...]:
        """Return the positions that read any of the characters `start` to `end`.

        >>> TextAxis((None, Span(0, 1), Span(2, 5), Span(5, 7))).positions(2, 7)
        (2, 3)
        """
        return tuple(i for i, s in enumerate(self.spans) if s is not None and s.start < end and start < s.end)


@dataclass(frozen=True)
class ImageAxis:
    """Where boxes lie among the image positions of a trace.

    `boxes[i]` is what position i sees, in pixels of the sample's image, or None for a position that stands for the
    whole image (a [CLS] patch, a global region).
    """

    boxes: tuple[Box | None, ...]
    unit: Literal["patch", "region"]

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def places(self) -> tuple[int, ...]:
        """Positions that see one place, in order."""
        return tuple(i for i, box in enumerate(self.boxes) if box is not None)

    def weights(self, box: Box) -> Float[np.ndarray, "positions"]:
        """Return how much of each position belongs to `box`, 0 to 1.

        Patches: the share of the patch that the box covers, so that the attention on a box is the weighted sum over
        patches. Regions: 1 for the region of best overlap (IoU at least 0.5), nothing otherwise.

        >>> ImageAxis((None, Box(0, 0, 8, 8), Box(8, 0, 16, 8)), "patch").weights(Box(4, 0, 16, 8)).tolist()
        [0.0, 0.5, 1.0]
        """
        if self.unit == "patch":
            return self._shares(box)
        overlap = np.array([0.0 if cell is None else cell.iou(box) for cell in self.boxes])
        best = np.zeros(len(self.boxes))
        if len(overlap) and overlap.max() >= 0.5:
            best[int(overlap.argmax())] = 1.0
        return best

    def _shares(self, box: Box) -> Float[np.ndarray, "positions"]:
        left, top, right, bottom = self._edges
        across = np.minimum(right, box.right) - np.maximum(left, box.left)
        down = np.minimum(bottom, box.bottom) - np.maximum(top, box.top)
        area = (right - left) * (bottom - top)
        shares: np.ndarray = np.maximum(across, 0) * np.maximum(down, 0) / area
        shares[np.isnan(shares)] = 0.0
        return shares

    @cached_property
    def _edges(self) -> Float[np.ndarray, "4 positions"]:
        """Return left, top, right, bottom of every position; NaN for what stands for the whole image."""
        return np.array([(np.nan,) * 4 if box is None else box for box in self.boxes], dtype=float).reshape(-1, 4).T


@dataclass(frozen=True, eq=False)
class Trace:
    """The answer to one request: `trace[reading]` is a tensor on the model's device, padding cut off.

    `key` is the request's key; `text` and `image` say where words and boxes lie along its axes.
    """

    key: str
    arrays: Mapping[Reading, Tensor]
    text: TextAxis
    image: ImageAxis | None

    def __getitem__(self, reading: Reading) -> Tensor:
        """Return what was asked for; `RequestError` where it was not asked for."""
        try:
            return self.arrays[reading]
        except KeyError:
            asked = ", ".join(map(repr, self.arrays)) or "nothing"
            raise RequestError(f"trace {self.key}: {reading!r} was not asked for; asked for: {asked}") from None
