"""ALBEF behind the model boundary: one image pass, one text pass, one fusion pass, each shared where it can be.

Stages of text states: 0 the embeddings, i what leaves layer i-1; layers below the fusion layer never see the image.
Stages of image states: 0 patches, [CLS] and positions; i what leaves block i-1, before the final norm.
Attention of text on text is self-attention of every text layer, of text on image the cross-attention of the fusion
layers, of image on image the image encoder's. There is no attention of image on text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch

from vlaudit.errors import RequestError
from vlaudit.models.albef.answers import Answers
from vlaudit.models.albef.captions import encode, too_long
from vlaudit.models.albef.images import patch_axis
from vlaudit.models.albef.network import Albef
from vlaudit.models.albef.passes import Inside, Passes
from vlaudit.models.base import AttentionShape, Capabilities, ForwardRequest
from vlaudit.models.precision import exact_float32
from vlaudit.models.provenance import Loaded, Provenance
from vlaudit.models.streams.captions import Encoding, hides_badly, unknown_words
from vlaudit.models.vocabulary import Vocabulary
from vlaudit.traces import Attention, Feature, Hidden, HiddenPieces, Match, Reading, Trace, Words

TRAINED_LENGTH = {"pretraining": 25, "retrieval": 30}
"""Most tokens of a caption, [CLS] included, that each layout was trained on."""


class AlbefAdapter(Loaded):
    """Answers requests with one ALBEF network.

    Image encodings and text passes are kept for the last `images` images and `texts` captions, so that a caption
    variant on an image seen before costs the fusion layers alone.
    """

    name = "albef"

    def __init__(
        self,
        network: Albef,
        vocabulary: Vocabulary,
        provenance: Callable[[], Provenance],
        *,
        images: int = 64,
        texts: int = 256,
    ) -> None:
        self.network = network.eval().requires_grad_(requires_grad=False)
        super().__init__(provenance)
        self.capabilities = _capabilities(network)
        self.vocabulary: Mapping[str, int] = vocabulary.ids
        self.max_length = min(TRAINED_LENGTH[network.config.layout], network.config.text.max_positions)
        self.device = network.itm_head.weight.device
        self._vocabulary = vocabulary
        self._passes = Passes(network, images=images, texts=texts)

    def refusal(self, request: ForwardRequest) -> str | None:
        """Say why this request cannot be answered, or None."""
        for reading in request.readings:
            if reason := self.capabilities.lacks(reading) or unknown_words(reading, self.vocabulary):
                return reason
        if request.sample.image is None and any(self._sees(reading) for reading in request.readings):
            return "it has no image"
        encoding = encode(request.sample, self._vocabulary)
        return too_long(request.sample, encoding, self.max_length) or hides_badly(request, encoding)

    def _sees(self, reading: Reading) -> bool:
        modality = reading.queries if isinstance(reading, Attention) else getattr(reading, "modality", None)
        return self._fuses(reading) or modality == "image"

    def _fuses(self, reading: Reading) -> bool:
        """Say whether a reading needs the fusion layers."""
        first = self.network.config.text.fusion_layer
        match reading:
            case Words() | HiddenPieces() | Match() | Attention(queries="text", keys="image"):
                return True
            case Attention(queries="text"):
                return any(layer >= first for layer in self.capabilities.layers(reading))
            case Hidden(modality="text"):
                return any(stage > first for stage in self.capabilities.stages(reading))
        return False

    def forward(self, requests: Sequence[ForwardRequest]) -> list[Trace]:
        """Answer requests in one pass, traces in their order; `RequestError` names the first that is refused."""
        for request in requests:
            if reason := self.refusal(request):
                raise RequestError(f"sample {request.sample.id}: {reason}")
        traces: dict[int, Trace] = {}
        with torch.inference_mode(), exact_float32():
            for numbers in self._alike(requests):
                traces |= zip(numbers, self._answer([requests[i] for i in numbers]), strict=True)
        return [traces[i] for i in range(len(requests))]

    def _alike(self, requests: Sequence[ForwardRequest]) -> list[list[int]]:
        """Group requests by the passes that they need: text alone, text and image apart, fused."""
        groups: dict[tuple[bool, bool], list[int]] = {}
        for number, request in enumerate(requests):
            sees, fuses = (any(map(need, request.readings)) for need in (self._sees, self._fuses))
            groups.setdefault((sees, fuses), []).append(number)
        return list(groups.values())

    def _answer(self, requests: Sequence[ForwardRequest]) -> list[Trace]:
        """Answer requests that need the same passes."""
        readings = frozenset(reading for request in requests for reading in request.readings)
        captions = [encode(request.sample, self._vocabulary) for request in requests]
        images = [request.sample.image for request in requests if request.sample.image is not None]
        within_text, within_image = self._inside(readings, "text"), self._inside(readings, "image")
        text = self._passes.text(captions, within_text)
        image = self._passes.image(images, within_image) if any(map(self._sees, readings)) else None
        fuses = image is not None and any(map(self._fuses, readings))
        fusion = self._passes.fusion(captions, text, image, within_text) if image and fuses else None
        answers = Answers(self.network, self.capabilities, self.vocabulary, captions, text, image, fusion)
        return [self._trace(r, i, captions[i], answers) for i, r in enumerate(requests)]

    def _inside(self, readings: Iterable[Reading], modality: str) -> Inside:
        """Unite what is read inside the passes of one modality."""
        layers: set[int] = set()
        stages: set[int] = set()
        for reading in readings:
            if isinstance(reading, Attention) and reading.queries == modality:
                layers.update(self.capabilities.layers(reading))
            if isinstance(reading, Hidden) and reading.modality == modality:
                stages.update(self.capabilities.stages(reading))
        return Inside(frozenset(layers), frozenset(stages))

    def _trace(self, request: ForwardRequest, number: int, caption: Encoding, answers: Answers) -> Trace:
        arrays = {reading: answers.read(reading, number) for reading in request.readings}
        image, grid = request.sample.image, self.network.config.vision.grid
        return Trace(request.key, arrays, caption.axis, patch_axis(image, grid) if image else None)


def _capabilities(network: Albef) -> Capabilities:
    vision, text = network.config.vision, network.config.text
    has_words = network.config.layout == "pretraining"
    layers = range(text.layers)
    return Capabilities(
        architecture="cross-attention",
        readings=frozenset({Match, Feature, Hidden, Attention} | ({Words, HiddenPieces} if has_words else set())),
        visual_unit="patch",
        attention={
            ("text", "text"): AttentionShape(tuple(layers), text.heads),
            ("text", "image"): AttentionShape(tuple(layers[text.fusion_layer :]), text.heads),
            ("image", "image"): AttentionShape(tuple(range(vision.depth)), vision.heads),
        },
        hidden={"text": tuple(range(text.layers + 1)), "image": tuple(range(vision.depth + 1))},
        features=frozenset({"text", "image"}),
        word_probability="vocabulary" if has_words else None,
        match="log-odds",
    )
