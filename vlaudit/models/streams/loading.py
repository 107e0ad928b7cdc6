"""What the loaders of region models share: a file's names and sizes on the way in, the adapter on the way out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from torch import Tensor

from vlaudit.errors import CheckpointError
from vlaudit.models.base import LoadOptions
from vlaudit.models.checkpoint import FileHash, KeyReport, WeightsFile
from vlaudit.models.provenance import Provenance
from vlaudit.models.signatures import resembles
from vlaudit.models.streams.adapter import RegionAdapter
from vlaudit.models.streams.contract import RegionNetwork
from vlaudit.models.streams.find_encoder import find_encoder
from vlaudit.models.vocabulary import find_vocabulary

Sizes = TypeVar("Sizes")


def without_prefix(file: WeightsFile, prefix: str) -> WeightsFile:
    """Return the file with `prefix` taken off the names that begin with it.

    Raises `CheckpointError` where two names become one.
    """
    tensors: dict[str, Tensor] = {}
    for name, tensor in file.tensors.items():
        short = name.removeprefix(prefix)
        if short in tensors:
            raise CheckpointError(f"checkpoint {file.path}: it has {short} both with and without {prefix!r} before it")
        tensors[short] = tensor
    return replace(file, tensors=tensors)


def sizes_of(
    file: WeightsFile, read: Callable[[Mapping[str, Tensor], Mapping[str, Any]], Sizes], *, family: str
) -> Sizes:
    """Read the sizes of a network off a file; where it is not of `family`, the error says what it looks like."""
    try:
        return read(file.tensors, file.config)
    except CheckpointError as error:
        looks = resembles(file.tensors)
        hint = f". It looks like {looks}" if looks not in (None, family) else ""
        raise CheckpointError(f"checkpoint {file.path}: {error}{hint}") from None


def make_adapter(
    name: str,
    network: RegionNetwork,
    file: WeightsFile,
    keys: KeyReport,
    options: LoadOptions,
    *,
    published: str,
    described: str,
) -> RegionAdapter:
    """Put a filled network behind the model boundary, with the vocabulary and region encoder that it was trained with.

    `published` is the vocabulary that the family was published with, `described` says the network's sizes in a report.
    """
    vocabulary = find_vocabulary(
        file.path,
        tokenizer=options.tokenizer,
        published=published,
        rows=network.layout.vocabulary_size,
        download=options.download,
    )
    encoder = find_encoder(file.config, file.path, options.device, network.layout.region_width)
    # Made when it is asked for: the hash is still running. Of the file, only its hash is held.
    provenance = partial(_provenance, name, file.sha256, keys, described, vocabulary.source)
    return RegionAdapter(name, network, vocabulary, provenance, encoder=encoder)


def _provenance(name: str, sha256: FileHash, keys: KeyReport, described: str, vocabulary: str) -> Provenance:
    return Provenance(name, sha256.path, sha256.result(), keys, described, vocabulary)
