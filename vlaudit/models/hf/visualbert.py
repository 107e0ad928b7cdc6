"""VisualBERT (Li et al. 2019) as transformers computes it: one stack over the caption and then the regions.

One softmax runs over both modalities: the four kinds of attention are slices of one map. Boxes are not read. The class
has one plain kernel, which computes the probabilities in any case ("eager"; no fused one up to transformers 5.23);
without attention wanted they are not kept.
Stage 0 are the embeddings after their norm, stage i + 1 leaves layer i.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vlaudit.errors import RequestError
from vlaudit.models.base import LoadOptions
from vlaudit.models.checkpoint import KeyReport, WeightsFile
from vlaudit.models.hf.folder import Kind, load_class
from vlaudit.models.streams.contract import Inputs, Layout, Streams, Wanted
from vlaudit.traces import Modality

VISUAL_BERT = Kind(
    family="VisualBERT",
    model_type="visual_bert",
    config_class="VisualBertConfig",
    model_class="VisualBertForPreTraining",
    base="visual_bert",
    settings=("num_hidden_layers", "layer_norm_eps", "visual_embedding_dim"),
    fixed={"bypass_transformer": False},
)


class VisualBertNetwork(nn.Module):
    """A `transformers.VisualBertForPreTraining`, given as `model`, behind the contract of `RegionNetwork`."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    @property
    def layout(self) -> Layout:
        """What there is to be read: everything in every layer."""
        config = self.model.config
        layers, stages = tuple(range(config.num_hidden_layers)), tuple(range(config.num_hidden_layers + 1))
        both: tuple[Modality, ...] = ("text", "image")
        return Layout(
            architecture="single-stream",
            joint_softmax=True,
            attention={(asks, answers): layers for asks in both for answers in both},
            states=dict.fromkeys(both, stages),
            heads=config.num_attention_heads,
            max_length=config.max_position_embeddings,
            vocabulary_size=config.vocab_size,
            region_width=config.visual_embedding_dim,
        )

    def forward(self, inputs: Inputs, wanted: Wanted) -> Streams:
        """Read the captions and the regions; their token type is 1 and their position 0, as the authors have it."""
        if inputs.features is None or inputs.present is None:
            raise RequestError("VisualBERT reads regions, and was given none")
        out = self.model.visual_bert(
            inputs.ids,
            attention_mask=inputs.mask,
            token_type_ids=inputs.types,
            visual_embeds=inputs.features,
            visual_attention_mask=inputs.present,
            output_attentions=bool(wanted.attention),
            output_hidden_states=bool(wanted.states),
            return_dict=True,
        )
        length = inputs.ids.shape[1]
        part = {"text": slice(0, length), "image": slice(length, None)}
        states = {(who, stage): out.hidden_states[stage][:, part[who]] for who, stage in wanted.states}
        attention = {
            (asks, answers, layer): out.attentions[layer][:, :, part[asks], part[answers]]
            for asks, answers, layer in wanted.attention
        }
        last = out.last_hidden_state
        return Streams(last[:, part["text"]], last[:, part["image"]], states, attention)

    def word_logits(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch vocabulary"]:
        """Score every word at these text states."""
        logits: Tensor = self.model.cls.predictions(states)
        return logits

    def match_logits(self, streams: Streams) -> Float[Tensor, "batch 2"]:
        """Return (no match, match) from the pooled [CLS]. The class's label 0 is a matching pair, 1 a random one."""
        logits: Tensor = self.model.cls.seq_relationship(self.model.visual_bert.pooler(streams.text))
        return torch.flip(logits, (-1,))

    def region_logits(self, states: Float[Tensor, "*batch width"]) -> Float[Tensor, "*batch classes"]:
        """Refuse: the class has no such head."""
        raise RequestError("transformers' VisualBERT has no head that names regions")


def open_visualbert(options: LoadOptions) -> tuple[VisualBertNetwork, WeightsFile, KeyReport]:
    """Read the network of a VisualBERT folder, or of the weights file in it; errors as `load_class` raises them."""
    model, file, keys = load_class(VISUAL_BERT, options)
    return VisualBertNetwork(model), file, keys
