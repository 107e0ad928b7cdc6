"""Load a folder of transformers as an adapter. Regions come with features unless its config names our encoder."""

from __future__ import annotations

from vlaudit.models.base import LoadOptions
from vlaudit.models.checkpoint import KeyReport, WeightsFile
from vlaudit.models.hf.bert import BERT, open_bert
from vlaudit.models.hf.folder import Kind, model_type
from vlaudit.models.hf.lxmert import LXMERT, open_lxmert
from vlaudit.models.hf.visualbert import VISUAL_BERT, open_visualbert
from vlaudit.models.streams.adapter import RegionAdapter
from vlaudit.models.streams.contract import RegionNetwork
from vlaudit.models.streams.loading import make_adapter

PUBLISHED_VOCABULARY = "bert-base-uncased"


def load_bert(options: LoadOptions) -> RegionAdapter:
    """Load BERT: `--checkpoint` is a folder with config.json, weights and vocab.txt, or the weights file in it.

    Raises `CheckpointError` or `VocabularyError` before anything is computed where the files are not right.
    """
    return _adapted("bert", BERT, open_bert(options), options)


def load_visualbert_folder(options: LoadOptions) -> RegionAdapter:
    """Load VisualBERT as transformers has it, from the like of what BERT is loaded from; errors are the same."""
    return _adapted("visualbert", VISUAL_BERT, open_visualbert(options), options)


def load_lxmert_folder(options: LoadOptions) -> RegionAdapter:
    """Load LXMERT as transformers has it, from the like of what BERT is loaded from; errors are the same."""
    return _adapted("lxmert", LXMERT, open_lxmert(options), options)


def is_visualbert_folder(options: LoadOptions) -> bool:
    """Say whether the checkpoint is transformers' VisualBERT, by its config.json, and not the controlled model."""
    return model_type(options.checkpoint) == VISUAL_BERT.model_type


def is_lxmert_folder(options: LoadOptions) -> bool:
    """Say whether the checkpoint is transformers' LXMERT, by its config.json, and not in the original layout."""
    return model_type(options.checkpoint) == LXMERT.model_type


def _adapted(
    name: str, kind: Kind, opened: tuple[RegionNetwork, WeightsFile, KeyReport], options: LoadOptions
) -> RegionAdapter:
    network, file, keys = opened
    layers = {layer for numbers in network.layout.attention.values() for layer in numbers}
    described = f"transformers {kind.model_class}, {len(layers)} layers deep, {network.layout.heads} heads"
    return make_adapter(name, network, file, keys, options, published=PUBLISHED_VOCABULARY, described=described)
