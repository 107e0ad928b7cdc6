"""Load an ALBEF checkpoint: the published pretraining and retrieval files, or a safetensors file in their layout."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch

from vlaudit.errors import CheckpointError
from vlaudit.models.albef.config import AlbefConfig
from vlaudit.models.albef.image_encoder import interpolate_positions
from vlaudit.models.albef.network import Albef
from vlaudit.models.albef.text_encoder import Embeddings
from vlaudit.models.base import LoadOptions
from vlaudit.models.checkpoint import KeyReport, KeyRules, WeightsFile, open_weights
from vlaudit.models.load_into import load_into
from vlaudit.models.streams.adapter import EncoderAdapter
from vlaudit.models.streams.loading import make_adapter, sizes_of

PUBLISHED_VOCABULARY = "bert-base-uncased"


def load(options: LoadOptions) -> EncoderAdapter:
    """Load ALBEF; `CheckpointError` or `VocabularyError` before anything is computed where the files are not right."""
    file = open_weights(options.weights)
    config = sizes_of(file, AlbefConfig.from_tensors, family="ALBEF")
    file, config = _at_resolution(file, config, options.image_size)
    network, keys = _network(file, config, options)
    described = _described(config)
    return make_adapter("albef", network, file, keys, options, published=PUBLISHED_VOCABULARY, described=described)


def _at_resolution(file: WeightsFile, config: AlbefConfig, size: int | None) -> tuple[WeightsFile, AlbefConfig]:
    """Resize the position tables to images of `size` pixels, as the official loader does (trap 16)."""
    if size is None or size == config.vision.image_size:
        return file, config
    if size < 1 or size % config.vision.patch_size:
        raise CheckpointError(
            f"image_size must be a multiple of the patch size of {config.vision.patch_size} pixels, got {size}"
        )
    config = replace(config, vision=replace(config.vision, image_size=size))
    resized = {
        name: interpolate_positions(table.float(), config.vision.grid)
        for name, table in file.tensors.items()
        if name in ("visual_encoder.pos_embed", "visual_encoder_m.pos_embed")
    }
    return replace(file, tensors={**file.tensors, **resized}), config


def _network(file: WeightsFile, config: AlbefConfig, options: LoadOptions) -> tuple[Albef, KeyReport]:
    build = partial(Albef, config, momentum=options.momentum)
    network, keys = load_into(build, file, _rules(config, options), options, family="ALBEF")
    network.tie()
    _count_positions(network, options.device)
    return network, keys


def _rules(config: AlbefConfig, options: LoadOptions) -> KeyRules:
    # position_ids counts 0, 1, 2, ...: a constant that the published files happen to carry.
    momentum = "" if options.momentum else r"|\w+_m\..*"
    towers = ("text_encoder", *(("text_encoder_m",) if options.momentum else ()))
    aliases = {} if config.layout == "retrieval" else {k: v for tower in towers for k, v in _aliases(tower).items()}
    return KeyRules(r"image_queue|text_queue|idx_queue|queue_ptr|.*\.position_ids" + momentum, aliases)


def _aliases(tower: str) -> dict[str, str]:
    """Return second name -> first name of one tower's tied tensors: decoder and word table, the bias stored twice."""
    head = f"{tower}.cls.predictions"
    return {
        f"{head}.decoder.weight": f"{tower}.bert.embeddings.word_embeddings.weight",
        f"{head}.decoder.bias": f"{head}.bias",
    }


def _count_positions(network: Albef, device: torch.device) -> None:
    for module in network.modules():
        if isinstance(module, Embeddings):
            module.position_ids = torch.arange(network.config.text.max_positions, device=device)[None]


def _described(config: AlbefConfig) -> str:
    vision, text = config.vision, config.text
    return (
        f"{config.layout}, {vision.image_size} px in patches of {vision.patch_size}, "
        f"{vision.depth} image, {text.fusion_layer} text and {text.layers - text.fusion_layer} fusion layers"
    )
