"""Steps that loaders share: names and sizes of a weights file, and the adapter around the loaded network."""

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
from vlaudit.models.streams.adapter import EncoderAdapter
from vlaudit.models.streams.contract import Layout, Network
from vlaudit.models.streams.find_encoder import find_encoder
from vlaudit.models.vocabulary import find_vocabulary

Sizes = TypeVar("Sizes")


def without_prefix(file: WeightsFile, prefix: str, replacement: str = "") -> WeightsFile:
    """Return the file with a prefix of its tensor names removed, or replaced.

    Raises `CheckpointError` where two names become one.
    """
    tensors: dict[str, Tensor] = {}
    for name, tensor in file.tensors.items():
        short = replacement + name.removeprefix(prefix) if name.startswith(prefix) else name
        if short in tensors:
            raise CheckpointError(f"checkpoint {file.path}: it has {short} both with and without the prefix {prefix!r}")
        tensors[short] = tensor
    return replace(file, tensors=tensors)


def sizes_of(
    file: WeightsFile, read: Callable[[Mapping[str, Tensor], Mapping[str, Any]], Sizes], *, family: str
) -> Sizes:
    """Read a network's sizes from a file; for a file of another family, the error names the family it resembles."""
    try:
        return read(file.tensors, file.config)
    except CheckpointError as error:
        looks = resembles(file.tensors)
        hint = f". It looks like {looks}" if looks not in (None, family) else ""
        raise CheckpointError(f"checkpoint {file.path}: {error}{hint}") from None


def make_adapter(
    name: str,
    network: Network,
    file: WeightsFile,
    keys: KeyReport,
    options: LoadOptions,
    *,
    published: str,
    described: str,
    unlisted: int = 0,
) -> EncoderAdapter:
    """Return the adapter of a loaded network, with the vocabulary and region encoder that it was trained with.

    `published` is the vocabulary that the family was published with, `described` the network's sizes for the report,
    `unlisted` how many last rows of the word table a vocabulary may leave out.
    Raises `CheckpointError` where `options` request what the network cannot do, `VocabularyError` as `find_vocabulary`.
    """
    layout = network.layout
    _check_options(layout, options, file)
    vocabulary = find_vocabulary(
        file.path,
        tokenizer=options.tokenizer,
        published=published,
        rows=layout.vocabulary_size,
        download=options.download,
        unlisted=unlisted,
    )
    encoder = find_encoder(file.config, file.path, options.device, layout.region_width)
    # Lazy, because the hash is still being computed; only the hash of the file is kept in memory.
    provenance = partial(_provenance, name, file.sha256, keys, described, vocabulary.source)
    return EncoderAdapter(name, network, vocabulary, provenance, encoder=encoder)


def _check_options(layout: Layout, options: LoadOptions, file: WeightsFile) -> None:
    own = layout.pixels.size if layout.pixels else None
    if options.image_size not in (None, own):
        reads = f"only images of {own} pixels" if own else "no pixels"
        raise CheckpointError(
            f"checkpoint {file.path}: image_size must be left out, this model reads {reads}, got {options.image_size}"
        )


def _provenance(name: str, sha256: FileHash, keys: KeyReport, described: str, vocabulary: str) -> Provenance:
    return Provenance(name, sha256.path, sha256.result(), keys, described, vocabulary)
