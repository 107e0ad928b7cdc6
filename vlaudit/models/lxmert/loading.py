"""Load an LXMERT checkpoint: the published pretraining file, or another in its layout."""

from __future__ import annotations

from functools import partial

from vlaudit.models.base import LoadOptions
from vlaudit.models.checkpoint import KeyRules, open_weights
from vlaudit.models.hf.loading import is_lxmert_folder, load_lxmert_folder
from vlaudit.models.load_into import load_into
from vlaudit.models.lxmert.config import LxmertConfig
from vlaudit.models.lxmert.network import ALIASES, PREFIX, Lxmert
from vlaudit.models.streams.adapter import RegionAdapter
from vlaudit.models.streams.loading import make_adapter, sizes_of, without_prefix

FAMILY = "LXMERT"
PUBLISHED_VOCABULARY = "bert-base-uncased"


def load(options: LoadOptions) -> RegionAdapter:
    """Load LXMERT: a file in the published layout, or a folder of transformers, which its config.json tells.

    Raises `CheckpointError` or `VocabularyError` before anything is computed where the files are not right.
    """
    return load_lxmert_folder(options) if is_lxmert_folder(options) else _load_published(options)


def _load_published(options: LoadOptions) -> RegionAdapter:
    file = without_prefix(open_weights(options.checkpoint), PREFIX)
    config = sizes_of(file, LxmertConfig.from_tensors, family=FAMILY)
    network, keys = load_into(partial(Lxmert, config), file, KeyRules(aliases=ALIASES), options, family=FAMILY)
    network.tie()
    described = (
        f"{config.language_layers} language, {config.relation_layers} relation and {config.cross_layers} cross layers "
        f"of {config.heads} heads, {config.classes} region classes"
    )
    return make_adapter("lxmert", network, file, keys, options, published=PUBLISHED_VOCABULARY, described=described)
