"""Load a controlled VOLTA model: a published file, or a file in that layout with its config.json."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial

from torch import Tensor

from vlaudit.errors import CheckpointError
from vlaudit.models.base import LoadOptions
from vlaudit.models.checkpoint import KeyRules, WeightsFile, open_weights
from vlaudit.models.hf.loading import is_visualbert_folder, load_visualbert_folder
from vlaudit.models.load_into import load_into
from vlaudit.models.meta_device import build_on_meta
from vlaudit.models.signatures import resembles
from vlaudit.models.streams.adapter import EncoderAdapter
from vlaudit.models.streams.loading import make_adapter, without_prefix
from vlaudit.models.volta.config import VoltaConfig, published_fields
from vlaudit.models.volta.network import VoltaNetwork, aliases

PUBLISHED_VOCABULARY = "bert-base-uncased"

_MARKS = {
    "ctrl_uniter": "bert.embeddings.image_location_layer_norm.weight",
    "ctrl_lxmert": "bert.v_embeddings.ImgLayerNorm.weight",
    "ctrl_vilbert": "bert.v_embeddings.LayerNorm.weight",
    "ctrl_vl-bert": "bert.embeddings.obj_downsample.1.weight",
    "ctrl_visualbert": "bert.embeddings.projection.weight",
}
"""A tensor that only this model has: the models differ in their region embeddings."""

_PART = re.compile(r"bert\.encoder\.layer\.(\d+)\.(attention_self\.(?:v_)?query|intermediate\.(?:v_)?dense)\.weight")
_WORDS = "bert.embeddings.word_embeddings.weight"
_CLASSES = "cls.imagePredictions.decoder_dict.0.weight"


def load(options: LoadOptions, *, family: str) -> EncoderAdapter:
    """Load one of `config.PUBLISHED`; `CheckpointError` or `VocabularyError` where the files are not right.

    A file without config.json is assumed to have the published sizes.
    """
    file = without_prefix(open_weights(options.weights), "module.")
    _check_family(file, family)
    config = _config(file, family)
    network, keys = load_into(partial(VoltaNetwork, config), file, _rules(config), options, family=family)
    described = f"{len(config.layers)} layers in {config.sublayers} sublayers of {config.num_attention_heads} heads"
    return make_adapter(family, network, file, keys, options, published=PUBLISHED_VOCABULARY, described=described)


load_uniter = partial(load, family="ctrl_uniter")
load_lxmert = partial(load, family="ctrl_lxmert")
load_vilbert = partial(load, family="ctrl_vilbert")
load_vl_bert = partial(load, family="ctrl_vl-bert")


def load_visualbert(options: LoadOptions) -> EncoderAdapter:
    """Load the controlled VisualBERT, or a folder of transformers (by its config.json); errors as `load`."""
    if is_visualbert_folder(options):
        return load_visualbert_folder(options)
    return load(options, family="ctrl_visualbert")


def _check_family(file: WeightsFile, family: str) -> None:
    if _MARKS[family] in file.tensors:
        return
    for other, mark in _MARKS.items():
        if mark in file.tensors:
            raise CheckpointError(
                f"checkpoint {file.path}: its tensors are not those of {family}: it has {mark}, as {other} has; "
                f"give --model {other}"
            )
    looks = resembles(file.tensors)
    hint = f". It looks like {looks}" if looks else ""
    raise CheckpointError(f"checkpoint {file.path}: its tensors are not those of {family}: no {_MARKS[family]}{hint}")


def _config(file: WeightsFile, family: str) -> VoltaConfig:
    fields = dict(file.config) or published_fields(family)
    # A constant of the official code, not a field of its configs. A scalar is refused later, for its shape.
    if _CLASSES in file.tensors and file.tensors[_CLASSES].ndim:
        fields["mrc_num_classes"] = len(file.tensors[_CLASSES])
    try:
        config = VoltaConfig.from_json(fields)
        _check_fit(file.tensors, config, family)
    except CheckpointError as error:
        source = "the config that came with it" if file.config else f"the published config of {family}, for it has none"
        raise CheckpointError(
            f"checkpoint {file.path}, read by {source}: {error}. Put the config.json of its training next to it"
        ) from None
    return config


def _check_fit(tensors: Mapping[str, Tensor], config: VoltaConfig, family: str) -> None:
    """Compare a config with the tensors, where a list of names and shapes would not explain the error."""
    if f"ctrl_{config.image_embeddings}" != family:
        raise CheckpointError(
            f"image_embeddings must be {family.removeprefix('ctrl_')!r}, as the tensors are, "
            f"got {config.image_embeddings!r}"
        )
    shape = tuple(tensors[_WORDS].shape) if _WORDS in tensors else None
    if shape and shape != (config.vocab_size, config.hidden_size):
        raise CheckpointError(
            f"vocab_size and hidden_size must be those of the word table, {shape}, got "
            f"{(config.vocab_size, config.hidden_size)}"
        )
    stated, second = _names(config)
    differing = (_sublayer_parts(stated) ^ _sublayer_parts(tensors)) - _sublayer_parts(second)
    if differing:
        raise CheckpointError(
            "its ..._sublayers must be those of the tensors, got others for sublayers "
            f"{sorted({number for number, _ in differing})}"
        )


def _sublayer_parts(names: Iterable[str]) -> set[tuple[int, str]]:
    """Return the sublayers with attention or feed-forward, each with its part and modality."""
    return {(int(found[1]), found[2]) for name in names if (found := _PART.fullmatch(name))}


def _names(config: VoltaConfig) -> tuple[list[str], dict[str, str]]:
    """Return all parameter names, and second name -> first name of shared tensors."""
    with build_on_meta():
        network = VoltaNetwork(config)
    return [name for name, _ in network.named_parameters(remove_duplicate=False)], aliases(network)


def _rules(config: VoltaConfig) -> KeyRules:
    _, second = _names(config)
    # Newer VOLTA code writes the token types of ctrl_uniter twice.
    types = {"bert.embeddings.image_token_type_embeddings.weight": "bert.embeddings.token_type_embeddings.weight"}
    return KeyRules(aliases=second | (types if config.image_embeddings == "uniter" else {}))
