"""Load a UNITER checkpoint: the published pretraining file, or another in its layout."""

from __future__ import annotations

from functools import partial

from vlaudit.models.base import LoadOptions
from vlaudit.models.checkpoint import KeyRules, open_weights
from vlaudit.models.load_into import load_into
from vlaudit.models.streams.adapter import EncoderAdapter
from vlaudit.models.streams.loading import make_adapter, sizes_of
from vlaudit.models.uniter.config import UniterConfig
from vlaudit.models.uniter.network import ALIASES, Uniter

FAMILY = "UNITER"
PUBLISHED_VOCABULARY = "bert-base-cased"


def load(options: LoadOptions) -> EncoderAdapter:
    """Load UNITER; `CheckpointError` or `VocabularyError` before anything is computed where the files are not right."""
    file = open_weights(options.weights)
    config = sizes_of(file, UniterConfig.from_tensors, family=FAMILY)
    network, keys = load_into(partial(Uniter, config), file, KeyRules(aliases=ALIASES), options, family=FAMILY)
    network.tie()
    described = f"{config.layers} layers of {config.heads} heads, {config.classes} region classes with background"
    return make_adapter("uniter", network, file, keys, options, published=PUBLISHED_VOCABULARY, described=described)
