"""The parts of LXMERT that BERT lacks: region embeddings and cross-modality layers."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from vlaudit.models.attention import additive_mask
from vlaudit.models.bert_layers import Attention, Embeddings, Intermediate, Layer, Pooler, Projections, Residual
from vlaudit.models.lxmert.config import LxmertConfig
from vlaudit.models.streams.contract import Inputs, Streams
from vlaudit.models.streams.recording import Recorder

BOX_WIDTH = 4

TextMask = Float[Tensor, "batch 1 1 length"] | None
ImageMask = Float[Tensor, "batch 1 1 regions"] | None


class RegionEmbeddings(nn.Module):
    """The mean of feature and box, each mapped and normalised (Tan and Bansal 2019, section 2.1)."""

    def __init__(self, config: LxmertConfig) -> None:
        super().__init__()
        self.visn_fc = nn.Linear(config.region_width, config.width)
        self.visn_layer_norm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)
        self.box_fc = nn.Linear(BOX_WIDTH, config.width)
        self.box_layer_norm = nn.LayerNorm(config.width, eps=config.layer_norm_eps)

    def forward(
        self, features: Float[Tensor, "batch regions features"], boxes: Float[Tensor, "batch regions 4"]
    ) -> Float[Tensor, "batch regions width"]:
        """Return the input of the first relation layer."""
        looks: Tensor = self.visn_layer_norm(self.visn_fc(features))
        places: Tensor = self.box_layer_norm(self.box_fc(boxes))
        return (looks + places) / 2


class CrossAttention(nn.Module):
    """Attention of one modality to the other, with its residual and norm; both directions share it."""

    def __init__(self, config: LxmertConfig) -> None:
        super().__init__()
        self.att = Projections(config, config.width)
        self.output = Residual(config, config.width)

    def forward(
        self,
        hidden: Float[Tensor, "batch length width"],
        source: Float[Tensor, "batch keys width"],
        mask: Float[Tensor, "batch 1 1 keys"] | None,
        *,
        weights: bool,
    ) -> tuple[Float[Tensor, "batch length width"], Float[Tensor, "batch heads length keys"] | None]:
        """Return the next states and, on request, the probabilities."""
        context, probabilities = self.att(hidden, source, mask, weights=weights)
        return self.output(context, hidden), probabilities


class CrossLayer(nn.Module):
    """Cross-attention in both directions, then self-attention and feed-forward of each modality."""

    def __init__(self, config: LxmertConfig) -> None:
        super().__init__()
        self.visual_attention = CrossAttention(config)
        self.lang_self_att = Attention(config, config.width)
        self.visn_self_att = Attention(config, config.width)
        self.lang_inter = Intermediate(config)
        self.lang_output = Residual(config, config.intermediate)
        self.visn_inter = Intermediate(config)
        self.visn_output = Residual(config, config.intermediate)

    def forward(
        self,
        text: Float[Tensor, "batch length width"],
        image: Float[Tensor, "batch regions width"],
        on_text: TextMask,
        on_image: ImageMask,
        *,
        number: int,
        recorder: Recorder,
    ) -> tuple[Float[Tensor, "batch length width"], Float[Tensor, "batch regions width"]]:
        """Return the next states of both; `on_text` masks the keys of the text, `on_image` those of the regions."""
        wants = recorder.wants
        read, tv = self.visual_attention(text, image, on_image, weights=wants("text", "image", number))
        # The regions read the words that entered the layer, not those already updated by the regions.
        seen, vt = self.visual_attention(image, text, on_text, weights=wants("image", "text", number))
        text, tt = self.lang_self_att(read, read, on_text, weights=wants("text", "text", number))
        image, vv = self.visn_self_att(seen, seen, on_image, weights=wants("image", "image", number))
        recorder.attended("text", "image", number, tv)
        recorder.attended("image", "text", number, vt)
        recorder.attended("text", "text", number, tt)
        recorder.attended("image", "image", number, vv)
        return self.lang_output(self.lang_inter(text), text), self.visn_output(self.visn_inter(image), image)


class Encoder(nn.Module):
    """Language layers over the words, relation layers over the regions, then cross layers over both."""

    def __init__(self, config: LxmertConfig) -> None:
        super().__init__()
        self.first_cross_layer = config.first_cross_layer
        self.visn_fc = RegionEmbeddings(config)
        self.layer = nn.ModuleList(Layer(config) for _ in range(config.language_layers))
        self.x_layers = nn.ModuleList(CrossLayer(config) for _ in range(config.cross_layers))
        self.r_layers = nn.ModuleList(Layer(config) for _ in range(config.relation_layers))

    def read(
        self, text: Float[Tensor, "batch length width"], mask: TextMask, recorder: Recorder
    ) -> Float[Tensor, "batch length width"]:
        """Run the language layers."""
        recorder.state("text", 0, text)
        for number, layer in enumerate(self.layer):
            text, probabilities = layer(text, mask, weights=recorder.wants("text", "text", number))
            recorder.attended("text", "text", number, probabilities)
            recorder.state("text", number + 1, text)
        return text

    def look(
        self, image: Float[Tensor, "batch regions width"], mask: ImageMask, recorder: Recorder
    ) -> Float[Tensor, "batch regions width"]:
        """Run the relation layers."""
        recorder.state("image", 0, image)
        for number, layer in enumerate(self.r_layers):
            image, probabilities = layer(image, mask, weights=recorder.wants("image", "image", number))
            recorder.attended("image", "image", number, probabilities)
            recorder.state("image", number + 1, image)
        return image

    def exchange(
        self,
        text: Float[Tensor, "batch length width"],
        image: Float[Tensor, "batch regions width"],
        on_text: TextMask,
        on_image: ImageMask,
        recorder: Recorder,
    ) -> tuple[Float[Tensor, "batch length width"], Float[Tensor, "batch regions width"]]:
        """Run the cross layers, which are numbered after the longer of the two stacks."""
        for number, layer in enumerate(self.x_layers, start=self.first_cross_layer):
            text, image = layer(text, image, on_text, on_image, number=number, recorder=recorder)
            recorder.state("text", number + 1, text)
            recorder.state("image", number + 1, image)
        return text, image


class Backbone(nn.Module):
    """Embeddings, layers and pooler."""

    def __init__(self, config: LxmertConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(config)
        self.pooler = Pooler(config)

    def forward(
        self,
        inputs: Inputs,
        features: Float[Tensor, "batch regions features"],
        boxes: Float[Tensor, "batch regions 4"],
        recorder: Recorder,
    ) -> Streams:
        """Run a pass."""
        encoder, text = self.encoder, self.embeddings(inputs.ids, inputs.types)
        on_text = additive_mask(inputs.mask, text.dtype)
        on_image = None if inputs.present is None else additive_mask(inputs.present, text.dtype)
        text = encoder.read(text, on_text, recorder)
        image = encoder.look(encoder.visn_fc(features, boxes), on_image, recorder)
        text, image = encoder.exchange(text, image, on_text, on_image, recorder)
        return recorder.streams(text, image)
