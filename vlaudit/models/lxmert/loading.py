"""Load an LXMERT checkpoint: the published pretraining file, or another in its layout."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from vlaudit.models.base import LoadOptions
from vlaudit.models.checkpoint import KeyRules, WeightsFile, open_weights
from vlaudit.models.hf.folder import find_weights, model_type, renamed_norms
from vlaudit.models.load_into import load_into
from vlaudit.models.lxmert.config import LxmertConfig
from vlaudit.models.lxmert.network import ALIASES, PREFIX, Lxmert
from vlaudit.models.streams.adapter import EncoderAdapter
from vlaudit.models.streams.loading import make_adapter, sizes_of, without_prefix

FAMILY = "LXMERT"
MODEL_TYPE = "lxmert"
"""The `model_type` in the config.json of a folder of transformers."""
PUBLISHED_VOCABULARY = "bert-base-uncased"


def load(options: LoadOptions) -> EncoderAdapter:
    """Load LXMERT: a file in the published layout, or a folder of transformers, recognized by its config.json.

    Raises `CheckpointError` or `VocabularyError` before anything is computed where the files are not right.
    """
    file = _opened(options.weights)
    config = sizes_of(file, LxmertConfig.from_tensors, family=FAMILY)
    network, keys = load_into(partial(Lxmert, config), file, KeyRules(aliases=ALIASES), options, family=FAMILY)
    network.tie()
    described = (
        f"{config.language_layers} language, {config.relation_layers} relation and {config.cross_layers} cross layers "
        f"of {config.heads} heads, {config.classes} region classes"
    )
    return make_adapter("lxmert", network, file, keys, options, published=PUBLISHED_VOCABULARY, described=described)


def _opened(checkpoint: Path) -> WeightsFile:
    """Open a checkpoint and give its tensors the names of our network, which are the published ones."""
    folder = model_type(checkpoint) == MODEL_TYPE
    file = renamed_norms(open_weights(find_weights(checkpoint) if folder else checkpoint))
    return without_prefix(without_prefix(file, PREFIX), "lxmert.", "bert.")
