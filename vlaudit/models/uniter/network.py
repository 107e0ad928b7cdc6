"""UNITER (Chen et al. 2020, section 3) for pretraining: words and regions in one stack of BERT layers, four heads."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from vlaudit.errors import RequestError
from vlaudit.models.attention import additive_mask
from vlaudit.models.bert_layers import Embeddings, Layer, Pooler, WordPredictions, draw_weights
from vlaudit.models.streams.contract import Inputs, Layout, Streams, Wanted
from vlaudit.models.streams.recording import Recorder
from vlaudit.models.uniter.config import UniterConfig

BOX_WIDTH = 7

ALIASES = {
    "cls.predictions.decoder.weight": "uniter.embeddings.word_embeddings.weight",
    "feat_regress.weight": "uniter.img_embeddings.img_linear.weight",
}
"""Second name -> first name of one tensor; a file may lack the second."""


def seven_numbers(boxes: Float[Tensor, "*axes 4"]) -> Float[Tensor, "*axes 7"]:
    """Return left, top, right, bottom, width, height and area of boxes, all as fractions of the image."""
    size = boxes[..., 2:] - boxes[..., :2]
    return torch.cat([boxes, size, size.prod(dim=-1, keepdim=True)], dim=-1)


class RegionEmbeddings(nn.Module):
    """Feature and box, each mapped and normalised, and the token type of regions; the sum is normalised."""

    def __init__(self, config: UniterConfig) -> None:
        super().__init__()
        self.img_linear = nn.Linear(config.region_width, config.width)
        self.img_layer_norm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.pos_layer_norm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.pos_linear = nn.Linear(BOX_WIDTH, config.width)
        self.mask_embedding = nn.Embedding(2, config.region_width)
        self.LayerNorm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)

    def forward(
        self,
        features: Float[Tensor, "batch regions features"],
        boxes: Float[Tensor, "batch regions 4"],
        kind: Float[Tensor, "width"],
        hidden: Bool[Tensor, "batch regions"] | None = None,
    ) -> Float[Tensor, "batch regions width"]:
        """Return the input of layer 0; `kind` is the vector of the regions' token type.

        Row 1 of the mask table is added to the features of hidden regions. Row 0 is taken as zero: the official code
        overwrites it with zeros before reading it.
        """
        if hidden is not None:
            features = features + hidden[..., None] * self.mask_embedding.weight[1]
        looks = self.img_layer_norm(self.img_linear(features))
        places = self.pos_layer_norm(self.pos_linear(seven_numbers(boxes)))
        summed: Tensor = self.LayerNorm(looks + places + kind)
        return summed


class Encoder(nn.Module):
    """The stack of layers."""

    def __init__(self, config: UniterConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer(config) for _ in range(config.layers))

    def forward(
        self,
        states: Float[Tensor, "batch positions width"],
        allowed: Int[Tensor, "batch positions"],
        length: int,
        recorder: Recorder,
    ) -> Float[Tensor, "batch positions width"]:
        """Return the output of the last layer; the first `length` positions are words, the others regions."""
        mask = additive_mask(allowed, states.dtype)
        _keep(recorder, 0, states, length)
        for number, layer in enumerate(self.layer):
            states, probabilities = layer(states, mask, weights=recorder.wants_joint(number))
            recorder.attended_jointly(number, probabilities, length)
            _keep(recorder, number + 1, states, length)
        return states


def _keep(recorder: Recorder, stage: int, states: Tensor, length: int) -> None:
    recorder.state("text", stage, states[:, :length])
    recorder.state("image", stage, states[:, length:])


class Backbone(nn.Module):
    """Embeddings, layers and pooler.

    Caption and regions are padded separately. The official code packs each row instead (its regions follow its [SEP]
    at once), which gives the same states: layers are permutation-invariant, only words have positions, and padding
    gets a probability of exactly zero.
    """

    def __init__(self, config: UniterConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.img_embeddings = RegionEmbeddings(config)
        self.encoder = Encoder(config)
        self.pooler = Pooler(config)

    def forward(self, inputs: Inputs, recorder: Recorder) -> Streams:
        """Run a pass."""
        if inputs.features is None or inputs.boxes is None:
            raise RequestError("UNITER reads regions: features and boxes must be given, got none")
        text = self.embeddings(inputs.ids, inputs.types)
        kind = self.embeddings.token_type_embeddings.weight[1]
        image = self.img_embeddings(inputs.features, inputs.boxes, kind, inputs.hidden)
        present = torch.ones_like(image[..., 0], dtype=inputs.mask.dtype) if inputs.present is None else inputs.present
        length = text.shape[1]
        states = self.encoder(torch.cat([text, image], 1), torch.cat([inputs.mask, present], 1), length, recorder)
        return recorder.streams(states[:, :length], states[:, length:])


class Heads(nn.Module):
    """The level that the published keys have above the word head."""

    def __init__(self, config: UniterConfig) -> None:
        super().__init__()
        self.predictions = WordPredictions(config)


class RegionFeatures(nn.Module):
    """Predict the features of a region (Chen et al. 2020, section 3.2, MRFR); the last matrix is that of the input."""

    weight: Tensor

    def __init__(self, config: UniterConfig) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(config.width, config.region_width))
        self.bias = nn.Parameter(torch.zeros(config.region_width))
        norm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.net = nn.Sequential(nn.Linear(config.width, config.width), nn.GELU(), norm)

    def forward(self, hidden: Float[Tensor, "*axes width"]) -> Float[Tensor, "*axes features"]:
        """Return the features."""
        return F.linear(self.net(hidden), self.weight.T, self.bias)


class RegionClasses(nn.Module):
    """Predict the detector's class of a region, background at 0 (Chen et al. 2020, section 3.2, MRC)."""

    def __init__(self, config: UniterConfig) -> None:
        super().__init__()
        norm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        last = nn.Linear(config.width, config.classes)
        self.net = nn.Sequential(nn.Linear(config.width, config.width), nn.GELU(), norm, last)

    def forward(self, hidden: Float[Tensor, "*axes width"]) -> Float[Tensor, "*axes classes"]:
        """Return logits over the classes."""
        logits: Tensor = self.net(hidden)
        return logits


class Uniter(nn.Module):
    """UNITER for pretraining, a `RegionNetwork` whose state dict has the published keys.

    Call `initialise` before training. There is no dropout.
    """

    def __init__(self, config: UniterConfig) -> None:
        super().__init__()
        self.config = config
        self.uniter = Backbone(config)
        self.cls = Heads(config)
        self.feat_regress = RegionFeatures(config)
        self.region_classifier = RegionClasses(config)
        self.itm_output = nn.Linear(config.width, 2)
        self.tie()

    @property
    def layout(self) -> Layout:
        """Inputs and readable outputs: four slices of one attention in every layer."""
        layers, stages = tuple(range(self.config.layers)), tuple(range(self.config.layers + 1))
        return Layout(
            architecture="single-stream",
            joint_softmax=True,
            attention={
                ("text", "text"): layers,
                ("text", "image"): layers,
                ("image", "text"): layers,
                ("image", "image"): layers,
            },
            states={"text": stages, "image": stages},
            heads=self.config.heads,
            max_length=self.config.max_length,
            vocabulary_size=self.config.vocab_size,
            region_width=self.config.region_width,
            classes=self.config.classes,
        )

    def forward(self, inputs: Inputs, wanted: Wanted = Wanted()) -> Streams:  # noqa: B008 (frozen)
        """Run a pass; raises `RequestError` without regions and for a caption that is too long."""
        streams: Streams = self.uniter(inputs, Recorder(wanted))
        return streams

    def word_logits(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch vocabulary"]:
        """Return one logit per word at these text states."""
        logits: Tensor = self.cls.predictions(states)
        return logits

    def match_logits(self, streams: Streams) -> Float[Tensor, "batch 2"]:
        """Return (no match, match), in the published order."""
        logits: Tensor = self.itm_output(self.pooled(streams))
        return logits

    def region_logits(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch classes"]:
        """Return one logit per detector class at these image states; class 0 is background."""
        logits: Tensor = self.region_classifier(states)
        return logits

    def region_features(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch features"]:
        """Predict the features of the regions at these image states."""
        features: Tensor = self.feat_regress(states)
        return features

    def pooled(self, streams: Streams) -> Float[Tensor, "batch width"]:
        """Return the input of the matching head: the pooled [CLS]."""
        vectors: Tensor = self.uniter.pooler(streams.text)
        return vectors

    def tie(self) -> None:
        """Tie shared tensors again, after loaded tensors were assigned."""
        self.cls.predictions.decoder.weight = self.uniter.embeddings.word_embeddings.weight
        self.feat_regress.weight = self.uniter.img_embeddings.img_linear.weight

    def initialise(self, std: float = 0.02) -> None:
        """Initialize the weights for training with torch's generator, as the official code does."""
        draw_weights(self, std)

    def published_state_dict(self) -> dict[str, Tensor]:
        """Return the weights under the names that `load` reads: here the module's own."""
        return dict(self.state_dict())
