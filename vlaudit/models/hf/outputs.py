"""A class of transformers as a network: its layout, stages and streams."""

from __future__ import annotations

from typing import Any

from torch import nn

from vlaudit.models.streams.contract import Inputs, Layout, Pair, Stage, Streams, Wanted
from vlaudit.models.streams.pixels import PixelLayout
from vlaudit.traces import Modality

BOTH: tuple[Modality, Modality] = ("text", "image")


class TransformersNetwork(nn.Module):
    """A network around `model`, a class of transformers; `pixels` is its preprocessing, where it reads images."""

    def __init__(self, model: Any, pixels: PixelLayout | None = None) -> None:
        super().__init__()
        self.model, self.pixels = model, pixels


def one_stack_layout(config: Any, **declared: Any) -> Layout:
    """Return the layout of a single-stream class: every state and all four kinds of attention in every layer.

    `declared` are fields of `Layout`, those that differ from what the class's config says included.
    """
    layers, stages = tuple(range(config.num_hidden_layers)), tuple(range(config.num_hidden_layers + 1))
    fields = {
        "architecture": "single-stream",
        "joint_softmax": True,
        "attention": {(queries, keys): layers for queries in BOTH for keys in BOTH},
        "states": dict.fromkeys(BOTH, stages),
        "heads": config.num_attention_heads,
        "max_length": config.max_position_embeddings,
        "vocabulary_size": config.vocab_size,
    }
    return Layout(**(fields | declared))


def run_one_stack(encoder: Any, inputs: Inputs, wanted: Wanted, **images: Any) -> Streams:
    """Run an encoder whose positions are the caption's and then the image's, and slice its output.

    `images` are the arguments by which the class receives the image. Stage 0 is the embeddings, stage i + 1 the output
    of layer i; one softmax runs over both modalities.
    """
    out = encoder(inputs.ids, attention_mask=inputs.mask, token_type_ids=inputs.types, **_requested(wanted), **images)
    length = inputs.ids.shape[1]
    part = {"text": slice(0, length), "image": slice(length, None)}
    states = {(who, stage): out.hidden_states[stage][:, part[who]] for who, stage in wanted.states}
    attention = {
        (queries, keys, layer): out.attentions[layer][:, :, part[queries], part[keys]]
        for queries, keys, layer in wanted.attention
    }
    last = out.last_hidden_state
    return Streams(last[:, :length], last[:, length:], states, attention)


def cross_attention_layout(config: Any, max_length: int, **declared: Any) -> Layout:
    """Return the layout of an image encoder and a text encoder with self- and cross-attention in every layer.

    `config` holds the configs of both; `declared` are further fields of `Layout`.
    """
    text, vision = config.text_config, config.vision_config
    layers, blocks = tuple(range(text.num_hidden_layers)), tuple(range(vision.num_hidden_layers))
    attention: dict[Pair, tuple[int, ...]] = {("text", "text"): layers, ("text", "image"): layers}
    return Layout(
        architecture="cross-attention",
        joint_softmax=False,
        attention=attention | {("image", "image"): blocks},
        states={"text": (*layers, len(layers)), "image": (*blocks, len(blocks))},
        heads=dict.fromkeys(attention, text.num_attention_heads) | {("image", "image"): vision.num_attention_heads},
        max_length=min(max_length, text.max_position_embeddings),
        vocabulary_size=text.vocab_size,
        **declared,
    )


def run_stage(encoder: Any, modality: Modality, wanted: Wanted, **given: Any) -> Stage:
    """Run one encoder of two with the arguments `given`, and keep the requested states and attention.

    Attention on its own `modality` is its self-attention, on the other one its cross-attention.
    """
    out = encoder(**given, **_requested(wanted))
    states = {(who, stage): out.hidden_states[stage] for who, stage in wanted.states}
    attention = {
        (queries, keys, layer): (out.attentions if keys == modality else out.cross_attentions)[layer]
        for queries, keys, layer in wanted.attention
    }
    return Stage(out.last_hidden_state, states, attention)


def _requested(wanted: Wanted) -> dict[str, bool]:
    """Return the arguments by which a class returns the requested states and attention."""
    states, attention = bool(wanted.states), bool(wanted.attention)
    return {"output_attentions": attention, "output_hidden_states": states, "return_dict": True}
