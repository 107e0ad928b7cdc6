"""The nearest classes of `transformers`, with the sizes and the weights of our network; versions 4 and 5."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import transformers
from torch import Tensor, nn

from vlaudit.models.albef.config import TextConfig
from vlaudit.models.albef.network import Albef


def vit_of(network: Albef, attention: str) -> nn.Module:
    """Return transformers' ViT with the weights of our image encoder."""
    sizes = network.config.vision
    config = transformers.ViTConfig(
        hidden_size=sizes.width,
        num_hidden_layers=sizes.depth,
        num_attention_heads=sizes.heads,
        intermediate_size=sizes.intermediate,
        image_size=sizes.image_size,
        patch_size=sizes.patch_size,
        layer_norm_eps=sizes.layer_norm_eps,
        **kernel(attention),
    )
    model = transformers.ViTModel(config, add_pooling_layer=False)
    return fill(model, vit_names(network.visual_encoder.state_dict()))


def kernel(attention: str) -> dict[str, Any]:
    """Return the setting that selects the attention kernel; configs accept it, though their signatures lack it."""
    return {"attn_implementation": attention}


def vit_names(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name our image tensors as transformers 5 does."""
    parts = {"norm1": "layernorm_before", "norm2": "layernorm_after", "attn.proj": "attention.o_proj"}
    whole = {
        "cls_token": "embeddings.cls_token",
        "pos_embed": "embeddings.position_embeddings",
        "patch_embed.proj.": "embeddings.patch_embeddings.projection.",
        "norm.": "layernorm.",
    }
    named = {}
    for name, value in tensors.items():
        if not name.startswith("blocks."):
            old = next(old for old in whole if name.startswith(old))
            named[name.replace(old, whole[old], 1)] = value
            continue
        block = name.replace("blocks.", "layers.", 1)
        if ".qkv." in block:
            for part, third in zip("qkv", value.chunk(3), strict=True):
                named[block.replace("attn.qkv", f"attention.{part}_proj")] = third
            continue
        for old, new in parts.items():
            block = block.replace(f".{old}.", f".{new}.")
        named[block] = value
    return named


# transformers 4 -> 5, where a name changed
RENAMED = {
    "encoder.layer.": "layers.",
    "attention.attention.query": "attention.q_proj",
    "attention.attention.key": "attention.k_proj",
    "attention.attention.value": "attention.v_proj",
    "attention.output.dense": "attention.o_proj",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
}


def fill(model: nn.Module, tensors: Mapping[str, Tensor]) -> nn.Module:
    """Copy tensors into a model of transformers 4 or 5; every one must find its place."""
    places = {}
    for name in model.state_dict():
        known = name
        for old, new in RENAMED.items() if name not in tensors else ():
            known = known.replace(old, new)
        places[name] = tensors[known]
    model.load_state_dict(places)
    return model.eval().requires_grad_(requires_grad=False)


def bert_of(network: Albef, layers: range, attention: str) -> Any:
    """Return transformers' BERT with the weights of these text layers; from the fusion layer on it reads an image."""
    sizes = network.config.text
    crossing = layers.start >= sizes.fusion_layer
    config = transformers.BertConfig(
        **text_sizes(sizes, layers), is_decoder=crossing, add_cross_attention=crossing, **kernel(attention)
    )
    model = transformers.BertModel(config, add_pooling_layer=False)
    return fill(model, text_names(network, layers))


def blip_of(network: Albef, layers: range) -> Any:
    """Return transformers' BLIP text model, whose layers are ours, with the weights of the fusion layers."""
    sizes = network.config.text
    config = transformers.BlipTextConfig(
        **text_sizes(sizes, layers), encoder_hidden_size=sizes.encoder_width, is_decoder=True
    )
    model = transformers.models.blip.modeling_blip_text.BlipTextModel(config, add_pooling_layer=False)
    return fill(model, text_names(network, layers))


def text_sizes(sizes: TextConfig, layers: range) -> dict[str, Any]:
    """Return the sizes by the names of transformers' configs."""
    return {
        "vocab_size": sizes.vocab_size,
        "hidden_size": sizes.width,
        "num_hidden_layers": len(layers),
        "num_attention_heads": sizes.heads,
        "intermediate_size": sizes.intermediate,
        "max_position_embeddings": sizes.max_positions,
        "layer_norm_eps": sizes.layer_norm_eps,
        "hidden_act": "gelu",
    }


def text_names(network: Albef, layers: range) -> dict[str, Tensor]:
    """Return our text tensors with the layers counted from 0; BERT and BLIP otherwise have our names."""
    encoder: Any = network.text_encoder
    named = {}
    for name, value in encoder.bert.state_dict().items():
        match name.split(".")[:3]:
            case ["encoder", "layer", number]:
                here = f"encoder.layer.{int(number) - layers.start}."
                if int(number) in layers:
                    named[name.replace(f"encoder.layer.{number}.", here, 1)] = value
            case _:
                named[name] = value
    return named
