"""Load an ALBEF checkpoint: the published pretraining and retrieval files, or a safetensors file in their layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from vlaudit.errors import CheckpointError
from vlaudit.models.albef.adapter import AlbefAdapter
from vlaudit.models.albef.config import AlbefConfig
from vlaudit.models.albef.image_encoder import interpolate_positions
from vlaudit.models.albef.network import Albef
from vlaudit.models.albef.text_encoder import Embeddings
from vlaudit.models.base import LoadOptions
from vlaudit.models.checkpoint import FileHash, KeyReport, KeyRules, WeightsFile, match_keys, open_weights
from vlaudit.models.meta_device import build_on_meta
from vlaudit.models.provenance import Provenance
from vlaudit.models.signatures import resembles
from vlaudit.models.vocabulary import find_vocabulary

PUBLISHED_VOCABULARY = "bert-base-uncased"


def load(options: LoadOptions) -> AlbefAdapter:
    """Load ALBEF; `CheckpointError` or `VocabularyError` before anything is computed where the files are not right."""
    file = open_weights(options.checkpoint)
    config = _config(file)
    file, config = _at_resolution(file, config, options.image_size)
    vocabulary = find_vocabulary(
        options.checkpoint,
        tokenizer=options.tokenizer,
        published=PUBLISHED_VOCABULARY,
        rows=config.text.vocab_size,
        download=options.download,
    )
    network, keys = _network(file, config, options)
    # Made when it is asked for: the hash is still running. Of the file, only its hash is held.
    provenance = partial(_provenance, file.path, file.sha256, keys, config, vocabulary.source)
    return AlbefAdapter(network, vocabulary, provenance)


def _provenance(path: Path, sha256: FileHash, keys: KeyReport, config: AlbefConfig, vocabulary: str) -> Provenance:
    return Provenance("albef", path, sha256.result(), keys, _described(config), vocabulary)


def _config(file: WeightsFile) -> AlbefConfig:
    try:
        return AlbefConfig.from_tensors(file.tensors, file.config)
    except CheckpointError as error:
        looks = resembles(file.tensors)
        hint = f". It looks like {looks}" if looks not in (None, "ALBEF") else ""
        raise CheckpointError(f"checkpoint {file.path}: {error}{hint}") from None


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
    with build_on_meta():
        network = Albef(config, momentum=options.momentum)
    aliases = _aliases(network.state_dict())
    expected = {
        name: tensor
        for name, tensor in network.state_dict().items()
        if name not in aliases and not name.endswith("position_ids")
    }
    tensors, keys = match_keys(file, expected, _rules(aliases, options), family="ALBEF")
    placed = {name: value.to(options.device, options.dtype, copy=True) for name, value in tensors.items()}
    network.load_state_dict(placed, strict=False, assign=True)  # strictness was match_keys' business
    network.tie()
    _count_positions(network, options.device)
    return network, keys


def _aliases(names: Mapping[str, Tensor]) -> dict[str, str]:
    """Return second name -> first name of the tied tensors: decoder and word table, the bias that is stored twice."""
    aliases = {}
    for name in names:
        tower, inside, tied = name.partition(".cls.predictions.")
        if inside and tied == "decoder.weight":
            aliases[name] = f"{tower}.bert.embeddings.word_embeddings.weight"
        if inside and tied == "decoder.bias":
            aliases[name] = f"{tower}.cls.predictions.bias"
    return aliases


def _rules(aliases: Mapping[str, str], options: LoadOptions) -> KeyRules:
    # position_ids counts 0, 1, 2, ...: a constant that the published files happen to carry.
    momentum = "" if options.momentum else r"|\w+_m\..*"
    return KeyRules(r"image_queue|text_queue|idx_queue|queue_ptr|.*\.position_ids" + momentum, aliases)


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
