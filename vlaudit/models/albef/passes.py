"""The three passes of ALBEF over a batch of requests, each over its distinct inputs only."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from vlaudit.models.albef.images import preprocess
from vlaudit.models.albef.network import Albef
from vlaudit.models.attention import Encoded
from vlaudit.models.lru_cache import LRUCache
from vlaudit.models.streams.captions import Encoding
from vlaudit.samples import Image


@dataclass(frozen=True)
class Inside:
    """Layers whose attention, and stages whose states, are read in a pass; nothing inside where both are empty."""

    layers: frozenset[int] = frozenset()
    stages: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.layers or self.stages)


@dataclass(frozen=True)
class Pass:
    """A pass over distinct inputs, and which of its rows belongs to each request."""

    encoded: Encoded
    rows: tuple[int, ...]


class Passes:
    """Run the passes of one network, remembering image encodings and text passes between batches."""

    def __init__(self, network: Albef, *, images: int, texts: int) -> None:
        self.network = network
        self._images: LRUCache[Tensor] = LRUCache(images)
        self._texts: LRUCache[Tensor] = LRUCache(texts)

    def image(self, images: Sequence[Image], inside: Inside) -> Pass:
        """Encode the distinct images; from memory, as far as it goes, where nothing inside is read."""
        known = {image.key: image for image in images}

        def run(keys: Sequence[Hashable]) -> Encoded:
            size = self.network.config.vision.image_size
            pixels = torch.stack([preprocess(known[str(key)], size) for key in keys])
            weight = self.network.itm_head.weight
            pixels = pixels.to(weight.device, weight.dtype)
            return self.network.encode_image(pixels, weights=inside.layers, states=inside.stages)

        if inside:
            encoded = run(list(known))
            self._images.put(list(known), encoded.last.unbind())
        else:
            encoded = Encoded(torch.stack(self._images.get(list(known), lambda keys: run(keys).last.unbind())))
        places = {key: row for row, key in enumerate(known)}
        return Pass(encoded, tuple(places[image.key] for image in images))

    def text(self, captions: Sequence[Encoding], inside: Inside) -> Pass:
        """Run the distinct captions through the layers before fusion; from memory where nothing inside is read."""
        known = {caption.ids: caption for caption in captions}

        def run(keys: Sequence[Hashable]) -> tuple[Encoded, list[Tensor]]:
            rows = [known[key] for key in keys]  # type: ignore[index]  # the keys are ids
            ids, mask = self._padded(rows)
            encoded = self.network.encode_text(ids, mask, weights=inside.layers, states=inside.stages)
            return encoded, [encoded.last[i, : len(row.ids)] for i, row in enumerate(rows)]

        if inside:
            encoded, rows = run(list(known))
            self._texts.put(list(known), rows)
        else:
            rows = self._texts.get(list(known), lambda keys: run(keys)[1])
            encoded = Encoded(pad_sequence(rows, batch_first=True))
        places = {ids: row for row, ids in enumerate(known)}
        return Pass(encoded, tuple(places[caption.ids] for caption in captions))

    def fusion(self, captions: Sequence[Encoding], text: Pass, image: Pass, inside: Inside) -> Pass:
        """Run the distinct pairs of caption and image through the fusion layers."""
        pairs = list(zip(text.rows, image.rows, strict=True))
        distinct = list(dict.fromkeys(pairs))
        _, mask = self._padded([captions[pairs.index(pair)] for pair in distinct])
        words = text.encoded.last[[row for row, _ in distinct], : mask.shape[1]]
        sights = image.encoded.last
        if len(sights) > 1:  # one image is read by every row as it is, without a copy for each
            sights = sights[[row for _, row in distinct]]
        encoded = self.network.fuse(words, mask, sights, weights=inside.layers, states=inside.stages)
        places = {pair: row for row, pair in enumerate(distinct)}
        return Pass(encoded, tuple(places[pair] for pair in pairs))

    def _padded(self, captions: Sequence[Encoding]) -> tuple[Int[Tensor, "batch length"], Int[Tensor, "batch length"]]:
        """Return ids padded to the longest caption, and a mask that is 1 where a real token stands."""
        device = self.network.itm_head.weight.device
        ids = [torch.tensor(caption.ids, device=device) for caption in captions]
        padded = pad_sequence(ids, batch_first=True, padding_value=self.network.config.text.pad_id)
        mask = pad_sequence([torch.ones_like(row) for row in ids], batch_first=True)
        return padded, mask
