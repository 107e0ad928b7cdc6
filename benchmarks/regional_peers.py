"""The classes of `transformers` that compute what our region models do, with the sizes and the weights of ours."""

from __future__ import annotations

from typing import Any

import transformers
from torch import Tensor, nn

from benchmarks.peers import fill, kernel
from vlaudit.models.lxmert.config import LxmertConfig
from vlaudit.models.lxmert.network import Lxmert
from vlaudit.models.uniter.config import UniterConfig
from vlaudit.models.uniter.network import Uniter
from vlaudit.models.volta.config import VoltaConfig
from vlaudit.models.volta.network import VoltaNetwork


def lxmert_of(network: Lxmert) -> Any:
    """Return transformers' LXMERT with all of its heads; it has one kernel, which always computes probabilities."""
    sizes: LxmertConfig = network.config
    heads: dict[str, Any] = {"num_attr_labels": sizes.attributes, "num_qa_labels": sizes.answers}
    config = transformers.LxmertConfig(
        vocab_size=sizes.vocab_size,
        hidden_size=sizes.width,
        num_attention_heads=sizes.heads,
        intermediate_size=sizes.intermediate,
        max_position_embeddings=sizes.max_positions,
        type_vocab_size=sizes.type_vocab,
        l_layers=sizes.language_layers,
        r_layers=sizes.relation_layers,
        x_layers=sizes.cross_layers,
        visual_feat_dim=sizes.region_width,
        num_object_labels=sizes.classes or 0,
        **heads,
    )
    named = {name.replace("bert.", "lxmert.", 1): value for name, value in network.state_dict().items()}
    return fill(transformers.LxmertForPreTraining(config), named)


class Given(nn.Module):
    """Replacement of BERT's embeddings that returns the joint states of caption and regions unchanged."""

    def forward(self, inputs_embeds: Tensor, **_: object) -> Tensor:
        """Return the states."""
        return inputs_embeds


def bert_of(network: Uniter | VoltaNetwork, attention: str) -> nn.Module:
    """Return transformers' BERT with the layers of a single-stream network; it is given `inputs_embeds`."""
    sizes = uniter_sizes(network.config) if isinstance(network, Uniter) else volta_sizes(network.config)
    config = transformers.BertConfig(**sizes, **kernel(attention))
    model: Any = transformers.BertModel(config, add_pooling_layer=False)
    model.embeddings = Given()
    return fill(model, uniter_names(network) if isinstance(network, Uniter) else volta_names(network))


def visualbert_of(network: VoltaNetwork) -> Any:
    """Return transformers' VisualBERT with the weights of ctrl_visualbert; one kernel, as in LXMERT."""
    sizes = network.config
    config = transformers.VisualBertConfig(**volta_sizes(sizes), visual_embedding_dim=sizes.v_feature_size)
    model = transformers.VisualBertModel(config, add_pooling_layer=False)
    return fill(model, volta_names(network) | volta_embeddings(network))


def uniter_sizes(config: UniterConfig) -> dict[str, Any]:
    """Return UNITER's sizes by the names of transformers' configs."""
    return config.to_json()


def volta_sizes(config: VoltaConfig) -> dict[str, Any]:
    """Return VOLTA's sizes by the names of transformers' configs."""
    names = (
        "hidden_size",
        "num_attention_heads",
        "intermediate_size",
        "vocab_size",
        "max_position_embeddings",
        "type_vocab_size",
        "layer_norm_eps",
    )
    return {name: getattr(config, name) for name in names} | {"num_hidden_layers": len(config.layers)}


def uniter_names(network: Uniter) -> dict[str, Tensor]:
    """Return the layers' tensors; they have BERT's names."""
    return {f"encoder.{name}": value for name, value in network.uniter.encoder.state_dict().items()}


def volta_names(network: VoltaNetwork) -> dict[str, Tensor]:
    """Return the sublayers' tensors by BERT's names: sublayers 2 i and 2 i + 1 are layer i."""
    named = {}
    for name, value in network.bert.encoder.state_dict().items():
        _, number, part = name.split(".", 2)
        if ".v_" not in part:  # the same tensors for regions
            part = part.replace("attention_self.", "attention.self.").replace("attention_output.", "attention.output.")
            named[f"encoder.layer.{int(number) // 2}.{part}"] = value
    return named


def volta_embeddings(network: VoltaNetwork) -> dict[str, Tensor]:
    """Return ctrl_visualbert's embeddings by transformers' names."""
    renamed = {
        "projection.": "visual_projection.",
        "token_type_embeddings_visual.": "visual_token_type_embeddings.",
        "position_embeddings_visual.": "visual_position_embeddings.",
    }
    named = {}
    for name, value in network.bert.embeddings.state_dict().items():
        old = next((old for old in renamed if name.startswith(old)), "")
        named[f"embeddings.{renamed.get(old, '')}{name.removeprefix(old)}"] = value
    return named
