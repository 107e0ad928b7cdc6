"""The whole VOLTA network, embeddings, sublayers, poolers and heads, as a `RegionNetwork`."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vlaudit.models.attention import additive_mask
from vlaudit.models.bert_layers import draw_weights
from vlaudit.models.streams.contract import Inputs, Layout, Streams, Wanted
from vlaudit.models.volta.config import VoltaConfig
from vlaudit.models.volta.embeddings import (
    LxmertImageEmbeddings,
    Positions,
    TextEmbeddings,
    UniterEmbeddings,
    ViLBertImageEmbeddings,
    VisualBertEmbeddings,
    VLBertEmbeddings,
    regions_of,
)
from vlaudit.models.volta.encoder import KINDS, MODALITIES, Encoder, States, Sublayers
from vlaudit.models.volta.heads import Heads, Pooler
from vlaudit.traces import Modality

MAX_LENGTH = 38
"""Longest caption of pretraining in tokens, [CLS] and [SEP] included."""

_TOGETHER: Mapping[str, type[TextEmbeddings]] = {"uniter": UniterEmbeddings, "visualbert": VisualBertEmbeddings}
_APART: Mapping[str, type[LxmertImageEmbeddings | ViLBertImageEmbeddings]] = {
    "lxmert": LxmertImageEmbeddings,
    "vilbert": ViLBertImageEmbeddings,
}


class Body(nn.Module):
    """Everything but the heads."""

    def __init__(self, config: VoltaConfig, positions: Positions) -> None:
        super().__init__()
        kind = config.image_embeddings
        self.embeddings = _embeddings(config, positions)
        self.v_embeddings = _APART[kind](config) if kind in _APART else None
        self.encoder = Encoder(config)
        self.t_pooler = Pooler(config)
        self.v_pooler = Pooler(config)

    def embed(self, inputs: Inputs) -> States:
        """Return the states before the first sublayer."""
        if self.v_embeddings is not None:
            return {"text": self.embeddings.text(inputs), "image": self.v_embeddings(inputs)}
        text, image = self.embeddings(inputs)
        return {"text": text, "image": image}


def _embeddings(config: VoltaConfig, positions: Positions) -> TextEmbeddings:
    if config.image_embeddings == "vl-bert":
        return VLBertEmbeddings(config, positions)
    return _TOGETHER.get(config.image_embeddings, TextEmbeddings)(config)


class VoltaNetwork(nn.Module):
    """A controlled VOLTA model (Bugliarello et al. 2021), whose parameters have the published names.

    A layer is an attention sublayer with the feed-forward sublayers up to the next one: 12 layers are 24 sublayers of
    ctrl_uniter, 19 layers the 33 of ctrl_lxmert, 18 the 36 of ctrl_vilbert. `encode` counts sublayers, as the official
    code does. `positions` is read by ctrl_vl-bert alone: "rows" embeds every row independently, "batch" gives the
    official result, which depends on the rest of the batch (`VLBertEmbeddings`).
    Call `initialise` before training. There is no dropout.
    """

    def __init__(self, config: VoltaConfig, positions: Positions = "rows") -> None:
        super().__init__()
        self.config = config
        self.bert = Body(config, positions)
        self.cls = Heads(config)
        self._layout = self._described()

    @property
    def layout(self) -> Layout:
        """Inputs and readable outputs."""
        return self._layout

    def _described(self) -> Layout:
        config, layers = self.config, self.config.layers
        held = {
            pair: tuple(n for n, layer in enumerate(layers) if layer.first in config.kind(kind))
            for pair, kind in KINDS.items()
        }
        # ctrl_vl-bert's regions take two positions after the caption's end.
        room = config.max_position_embeddings - (2 if config.image_embeddings == "vl-bert" else 0)
        return Layout(
            architecture="single-stream" if config.single_stream else "two-stream",
            joint_softmax=config.single_stream,
            attention={pair: numbers for pair, numbers in held.items() if numbers},
            states={m: (0, *(n + 1 for n, layer in enumerate(layers) if m in layer.modalities)) for m in MODALITIES},
            heads=config.num_attention_heads,
            max_length=min(MAX_LENGTH, room),
            vocabulary_size=config.vocab_size,
            region_width=config.v_feature_size,
            classes=config.mrc_num_classes,
            global_region=True,
        )

    def forward(self, inputs: Inputs, wanted: Wanted) -> Streams:
        """Run a pass; raises `RequestError` without regions and for a caption that is too long."""
        layers = self.config.layers
        attention = {(queries, keys, layers[n].first): (queries, keys, n) for queries, keys, n in wanted.attention}
        states = {(m, layers[n - 1].last + 1 if n else 0): (m, n) for m, n in wanted.states}
        run = self.encode(inputs, attention=attention, kept=states)
        return Streams(
            run.last["text"],
            run.last["image"],
            {states[at]: tensor for at, tensor in run.states.items()},
            {attention[at]: tensor for at, tensor in run.attention.items()},
        )

    def encode(
        self,
        inputs: Inputs,
        *,
        attention: Collection[tuple[Modality, Modality, int]] = (),
        kept: Collection[tuple[Modality, int]] = (),
    ) -> Sublayers:
        """Run a pass as `forward` does, with everything numbered by sublayer."""
        features, _ = regions_of(inputs)
        present = torch.ones(features.shape[:2], device=features.device) if inputs.present is None else inputs.present
        dtype = features.dtype
        masks = {"text": additive_mask(inputs.mask, dtype), "image": additive_mask(present.long(), dtype)}
        run: Sublayers = self.bert.encoder(self.bert.embed(inputs), masks, attention=attention, kept=kept)
        return run

    def word_logits(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch vocabulary"]:
        """Return one logit per word at these text states."""
        logits: Tensor = self.cls.predictions(states, self.bert.embeddings.word_embeddings.weight)
        return logits

    def region_logits(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch classes"]:
        """Return one logit per detector class at these image states; class 0 is background."""
        logits: Tensor = self.cls.imagePredictions(states)
        return logits

    def pooled(self, streams: Streams) -> tuple[Float[Tensor, "batch pooled"], Float[Tensor, "batch pooled"]]:
        """Return the pooled [CLS] and the pooled whole image; the matching head reads their product."""
        return self.bert.t_pooler(streams.text), self.bert.v_pooler(streams.image)

    def match_logits(self, streams: Streams) -> Float[Tensor, "batch 2"]:
        """Return (no match, match); the published label 0 is a matching caption, so the order is reversed."""
        text, image = self.pooled(streams)
        logits: Tensor = self.cls.bi_seq_relationship(text * image).flip(-1)
        return logits

    def published_state_dict(self) -> dict[str, Tensor]:
        """Return every tensor under all of its published names, second names included."""
        tensors = self.state_dict()
        return tensors | {second: tensors[first] for second, first in aliases(self).items()}

    def initialise(self) -> None:
        """Initialize the weights for training with torch's generator: normal of `initializer_range`, biases 0.

        Norms are 1 and 0; as in the official code when it does not start from BERT's weights.
        """
        draw_weights(self, self.config.initializer_range)


def aliases(network: VoltaNetwork) -> dict[str, str]:
    """Return second name -> first name of shared tensors: shared sublayers, the decoder and the word table."""
    found = {"cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight"}
    first: dict[int, str] = {}
    for name, parameter in network.named_parameters(remove_duplicate=False):
        known = first.setdefault(id(parameter), name)
        if known != name:
            found[name] = known
    return found
