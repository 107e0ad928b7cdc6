"""Run a network over a batch: in one pass, or in stages whose results are reused between batches."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from vlaudit.errors import RequestError
from vlaudit.models.lru_cache import LRUCache
from vlaudit.models.streams.batches import BatchBuilder, Row, image_of
from vlaudit.models.streams.captions import Encoding
from vlaudit.models.streams.contract import JointNetwork, Stage, StagedNetwork, Streams, Wanted
from vlaudit.samples import Image
from vlaudit.traces import Modality

Held = TypeVar("Held", Stage, Streams)


class Needs(NamedTuple):
    """Stages that a request needs in addition to text: the image encoding, and the fusion of both."""

    image: bool = True
    fusion: bool = True


@dataclass(frozen=True)
class Pass(Generic[Held]):
    """The result of one pass over distinct inputs, and the row of each request in it."""

    held: Held
    rows: Sequence[int]


@dataclass(frozen=True)
class Passes:
    """The passes of a batch; a joint network has only `fused`, and a stage that was not needed is None."""

    fused: Pass[Streams] | None
    text: Pass[Stage] | None = None
    image: Pass[Stage] | None = None

    def state(self, modality: Modality, stage: int, number: int) -> Tensor:
        """Return the states of one stage for request `number`, padding included."""
        for each in (self.text, self.image, self.fused):
            if each is not None and (modality, stage) in each.held.states:
                return each.held.states[modality, stage][each.rows[number]]
        raise RequestError(f"the network returned no {modality} states of stage {stage}")

    def attention(self, queries: Modality, keys: Modality, layer: int, number: int) -> Tensor:
        """Return the attention of one layer for request `number`, padding included."""
        for each in (self.text, self.image, self.fused):
            if each is not None and (queries, keys, layer) in each.held.attention:
                return each.held.attention[queries, keys, layer][each.rows[number]]
        raise RequestError(f"the network returned no attention of {queries} on {keys} in layer {layer}")


class JointPasses:
    """Run a joint network; nothing is reused."""

    def __init__(self, network: JointNetwork, builder: BatchBuilder) -> None:
        self.network, self.builder = network, builder

    def run(self, rows: Sequence[Row], wanted: Wanted, needs: Needs) -> Passes:
        """Run one pass over all rows."""
        return Passes(Pass(self.network.forward(self.builder.inputs(rows), wanted), range(len(rows))))


class StagedPasses:
    """Run the stages of a staged network over distinct inputs, and remember image and text encodings.

    The last `images` and `texts` encodings are kept, so that a caption variant on a known image costs the fusion
    layers alone. Where something inside a stage is wanted, the stage runs anew.
    """

    def __init__(self, network: StagedNetwork, builder: BatchBuilder, *, images: int, texts: int) -> None:
        self.network, self.builder = network, builder
        self._images: LRUCache[Tensor] = LRUCache(images)
        self._texts: LRUCache[Tensor] = LRUCache(texts)

    def run(self, rows: Sequence[Row], wanted: Wanted, needs: Needs) -> Passes:
        """Run the stages that these rows need."""
        captions = [row.caption for row in rows]
        early, inside, late = _split(wanted, self.builder.layout.fused_from)
        text = self._text(captions, early)
        image = self._image([image_of(row.sample) for row in rows], inside) if needs.image else None
        fused = self._fusion(captions, text, image, late) if image and needs.fusion else None
        return Passes(fused, text, image)

    def _image(self, images: Sequence[Image], wanted: Wanted) -> Pass[Stage]:
        known = {image.key: image for image in images}

        def run(keys: Sequence[Hashable]) -> Stage:
            return self.network.image_stage(self.builder.pixels([known[str(key)] for key in keys]), wanted)

        if wanted.states or wanted.attention:
            stage = run(list(known))
            self._images.put(list(known), stage.last.unbind())
        else:
            stage = Stage(torch.stack(self._images.get(list(known), lambda keys: run(keys).last.unbind())))
        places = {key: row for row, key in enumerate(known)}
        return Pass(stage, tuple(places[image.key] for image in images))

    def _text(self, captions: Sequence[Encoding], wanted: Wanted) -> Pass[Stage]:
        known = {caption.ids: caption for caption in captions}

        def run(keys: Sequence[Hashable]) -> tuple[Stage, list[Tensor]]:
            rows = [known[key] for key in keys]  # type: ignore[index]  # the keys are ids
            stage = self.network.text_stage(*self.builder.captions(rows), wanted)
            return stage, [stage.last[i, : len(row.ids)] for i, row in enumerate(rows)]

        if wanted.states or wanted.attention:
            stage, rows = run(list(known))
            self._texts.put(list(known), rows)
        else:
            rows = self._texts.get(list(known), lambda keys: run(keys)[1])
            stage = Stage(pad_sequence(rows, batch_first=True))
        places = {ids: row for row, ids in enumerate(known)}
        return Pass(stage, tuple(places[caption.ids] for caption in captions))

    def _fusion(
        self, captions: Sequence[Encoding], text: Pass[Stage], image: Pass[Stage], wanted: Wanted
    ) -> Pass[Streams]:
        pairs = list(zip(text.rows, image.rows, strict=True))
        distinct = list(dict.fromkeys(pairs))
        _, mask = self.builder.captions([captions[pairs.index(pair)] for pair in distinct])
        words = text.held.last[[row for row, _ in distinct], : mask.shape[1]]
        images = image.held.last
        if len(images) > 1:  # a single image is broadcast, without a copy for each row
            images = images[[row for _, row in distinct]]
        places = {pair: row for row, pair in enumerate(distinct)}
        stage = self.network.fusion_stage(words, mask, images, wanted)
        streams = Streams(stage.last, states=stage.states, attention=stage.attention)
        return Pass(streams, tuple(places[pair] for pair in pairs))


def _split(wanted: Wanted, fused_from: int) -> tuple[Wanted, Wanted, Wanted]:
    """Split a request into the parts for the text, the image and the fusion stage."""
    image = Wanted(
        frozenset(each for each in wanted.attention if each[0] == "image"),
        frozenset(each for each in wanted.states if each[0] == "image"),
    )
    attention, states = wanted.attention - image.attention, wanted.states - image.states
    text = Wanted(
        frozenset(each for each in attention if each[2] < fused_from),
        frozenset(each for each in states if each[1] <= fused_from),
    )
    return text, image, Wanted(attention - text.attention, states - text.states)
