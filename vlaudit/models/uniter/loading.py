"""Load a UNITER checkpoint: the published pretraining file, or another in its layout."""

from __future__ import annotations

from functools import partial

from vlaudit.models.base import LoadOptions
from vlaudit.models.checkpoint import KeyRules, open_weights
from vlaudit.models.filling import filled
from vlaudit.models.regional.adapter import RegionAdapter
from vlaudit.models.regional.loading import adapted, sizes_of
from vlaudit.models.uniter.config import UniterConfig
from vlaudit.models.uniter.network import ALIASES, Uniter

FAMILY = "UNITER"
PUBLISHED_VOCABULARY = "bert-base-cased"


def load(options: LoadOptions) -> RegionAdapter:
    """Load UNITER; `CheckpointError` or `VocabularyError` before anything is computed where the files are not right."""
    file = open_weights(options.weights)
    config = sizes_of(file, UniterConfig.from_tensors, family=FAMILY)
    network, keys = filled(partial(Uniter, config), file, KeyRules(aliases=ALIASES), options, family=FAMILY)
    network.tie()
    described = f"{config.layers} layers of {config.heads} heads, {config.classes} region classes with background"
    return adapted("uniter", network, file, keys, options, published=PUBLISHED_VOCABULARY, described=described)
