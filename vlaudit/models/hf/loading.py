"""Load a folder of transformers as an adapter."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from vlaudit.models.base import LoadOptions
from vlaudit.models.checkpoint import KeyReport, WeightsFile
from vlaudit.models.hf.bert import open_bert
from vlaudit.models.hf.lxmert import open_lxmert
from vlaudit.models.hf.visualbert import open_visualbert
from vlaudit.models.provenance import Provenance
from vlaudit.models.regional.adapter import RegionAdapter
from vlaudit.models.regional.streams import RegionNetwork
from vlaudit.models.vocabulary import find_vocabulary

PUBLISHED_VOCABULARY = "bert-base-uncased"


def load_bert(options: LoadOptions) -> RegionAdapter:
    """Load BERT: `--checkpoint` is a folder with config.json, weights and vocab.txt, or the weights file in it.

    Raises `CheckpointError` or `VocabularyError` before anything is computed where the files are not right.
    """
    return _adapted("bert", "BertForMaskedLM", open_bert, options)


def load_visualbert_folder(options: LoadOptions) -> RegionAdapter:
    """Load VisualBERT as transformers has it; regions come with features, there is no encoder for pixels.

    `model_type(options.checkpoint) == "visual_bert"` tells such a folder from the controlled model. Errors as above.
    """
    return _adapted("visualbert", "VisualBertForPreTraining", open_visualbert, options)


def load_lxmert_folder(options: LoadOptions) -> RegionAdapter:
    """Load LXMERT as transformers has it; regions come with features, there is no encoder for pixels.

    `model_type(options.checkpoint) == "lxmert"` tells such a folder from the original layout. Errors as above.
    """
    return _adapted("lxmert", "LxmertForPreTraining", open_lxmert, options)


def _adapted(
    name: str,
    described: str,
    open_network: Callable[[LoadOptions], tuple[RegionNetwork, WeightsFile, KeyReport]],
    options: LoadOptions,
) -> RegionAdapter:
    network, file, keys = open_network(options)
    vocabulary = find_vocabulary(
        file.path,
        tokenizer=options.tokenizer,
        published=PUBLISHED_VOCABULARY,
        rows=network.layout.vocabulary_size,
        download=options.download,
    )
    layout = f"transformers {described}, {_counted(network)}"
    return RegionAdapter(name, network, vocabulary, partial(_provenance, name, file, keys, layout, vocabulary.source))


def _provenance(name: str, file: WeightsFile, keys: KeyReport, layout: str, vocabulary: str) -> Provenance:
    return Provenance(name, file.path, file.sha256.result(), keys, layout, vocabulary)


def _counted(network: RegionNetwork) -> str:
    layers = {layer for numbers in network.layout.attention.values() for layer in numbers}
    return f"{len(layers)} layers deep, {network.layout.heads} heads"
