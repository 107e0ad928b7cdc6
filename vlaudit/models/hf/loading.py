"""Load a folder of transformers as an adapter. Regions need features unless its config names our region encoder."""

from __future__ import annotations

from vlaudit.models.base import LoadOptions
from vlaudit.models.hf.bert import BERT
from vlaudit.models.hf.blip import BLIP
from vlaudit.models.hf.folder import Kind, choose_kind, load_network, model_type
from vlaudit.models.hf.vilt import VILT_RANKING, VILT_WORDS
from vlaudit.models.hf.visualbert import VISUAL_BERT
from vlaudit.models.streams.adapter import EncoderAdapter
from vlaudit.models.streams.loading import make_adapter

PUBLISHED_VOCABULARY = "bert-base-uncased"


def load_bert(options: LoadOptions) -> EncoderAdapter:
    """Load BERT: `--checkpoint` is a folder with config.json, weights and vocab.txt, or the weights file in it.

    Raises `CheckpointError` or `VocabularyError` before anything is computed where the files are not right.
    """
    return load_kind("bert", BERT, options)


def load_vilt(options: LoadOptions) -> EncoderAdapter:
    """Load ViLT, of the class that config.json names, from a folder like BERT's; errors are the same."""
    return load_kind("vilt", choose_kind((VILT_WORDS, VILT_RANKING), options.weights), options)


def load_blip(options: LoadOptions) -> EncoderAdapter:
    """Load BLIP for retrieval from a folder like BERT's; errors are the same.

    Its word table ends with two rows, [DEC] and [ENC], that published vocabularies do not list.
    """
    return load_kind("blip", choose_kind((BLIP,), options.weights), options, unlisted=2)


def load_visualbert_folder(options: LoadOptions) -> EncoderAdapter:
    """Load transformers' VisualBERT from a folder like BERT's; errors are the same."""
    return load_kind("visualbert", VISUAL_BERT, options)


def is_visualbert_folder(options: LoadOptions) -> bool:
    """Return whether the config.json of a checkpoint is transformers' VisualBERT's, not the controlled model's."""
    return model_type(options.weights) == VISUAL_BERT.model_type


def load_kind(name: str, kind: Kind, options: LoadOptions, *, unlisted: int = 0) -> EncoderAdapter:
    """Load a folder of one kind as the adapter of the family `name`; `unlisted` as in `make_adapter`."""
    network, file, keys = load_network(kind, options)
    layout = network.layout
    layers = {layer for numbers in layout.attention.values() for layer in numbers}
    heads = layout.heads if isinstance(layout.heads, int) else max(layout.heads.values())
    described = f"transformers {kind.model_class}, {len(layers)} layers deep, {heads} heads"
    return make_adapter(
        name, network, file, keys, options, published=PUBLISHED_VOCABULARY, described=described, unlisted=unlisted
    )
