"""Load a folder as transformers writes it: config.json, the weights, vocab.txt, preprocessing of images.

`from_pretrained` is not used: it initializes missing tensors at random, drops unknown ones, and follows references in
the config to remote code. Here every tensor name must match, and only known settings are read.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vlaudit.errors import CheckpointError
from vlaudit.models.base import LoadOptions
from vlaudit.models.checkpoint import KeyReport, KeyRules, WeightsFile, open_weights
from vlaudit.models.hf.preprocessor import read_pixels
from vlaudit.models.load_into import load_into
from vlaudit.models.streams.contract import Network
from vlaudit.models.streams.pixels import PixelLayout

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_SETTINGS = (
    *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act"),
    *("max_position_embeddings", "type_vocab_size", "layer_norm_eps", "pad_token_id", "is_decoder"),
    *("hidden_dropout_prob", "attention_probs_dropout_prob"),
    *("image_size", "patch_size", "num_channels", "qkv_bias", "visual_embedding_dim", "image_text_hidden_size"),
)
"""Settings that are read from the config of any class; every other one is ignored."""
_MOST = {"num_hidden_layers": 1000}
_MOST_OTHERWISE = 2**24
"""Bounds of sizes: the class is built from an untrusted config before its tensors are compared."""
_NORMS = {"gamma": "weight", "beta": "bias"}  # TensorFlow's names, in the files converted first


@dataclass(frozen=True)
class Kind:
    """A class of transformers, the network around it, and what its checkpoint folders may hold.

    `sections` are the tables of the config that hold settings ("" is the top level).
    `fixed` settings must have the given value where the config states them. `training_only` and `aliases` are those of
    `KeyRules`. `pixels` is the published preprocessing; its size and patch are replaced by those of the checkpoint.
    """

    family: str
    model_type: str
    model_class: str
    network: Callable[..., Network]
    sections: tuple[str, ...] = ("",)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    training_only: str = r"(?!)"
    aliases: Mapping[str, str] = field(default_factory=dict)
    pixels: PixelLayout | None = None

    @property
    def required(self) -> tuple[str, ...]:
        """Entries that a config must state: its tables, or the sizes for which the class has defaults."""
        return tuple(filter(None, self.sections)) or ("vocab_size", "hidden_size", "num_attention_heads")


def bert_aliases(base: str) -> dict[str, str]:
    """Return second name -> first name of the tensors that BERT's word head shares, in an encoder called `base`."""
    return {
        "cls.predictions.decoder.weight": f"{base}.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    }


def choose_kind(kinds: Sequence[Kind], checkpoint: Path) -> Kind:
    """Return the kind of a checkpoint by the `architectures` of its config.json; the first where it states none.

    Raises `CheckpointError` for a class of this model type that is not among the kinds.
    """
    folder = folder_of(checkpoint)
    stated = read_config(folder).get("architectures") or [kinds[0].model_class]
    for kind in kinds:
        if kind.model_class in stated:
            return kind
    raise CheckpointError(
        f"config {folder / 'config.json'}: architectures must name {' or '.join(kind.model_class for kind in kinds)}, "
        f"got {stated!r}; give a checkpoint of one of these classes"
    )


def model_type(checkpoint: Path) -> str | None:
    """Return the `model_type` of the config.json in a folder or next to a file; None where none is stated."""
    folder = folder_of(checkpoint)
    if not (folder / "config.json").is_file():
        return None
    found = read_config(folder).get("model_type")
    return found if isinstance(found, str) else None


def folder_of(checkpoint: Path) -> Path:
    """Return the folder of a checkpoint, which is given as that folder or as the weights file in it."""
    return checkpoint if checkpoint.is_dir() else checkpoint.parent


def load_network(kind: Kind, options: LoadOptions) -> tuple[Network, WeightsFile, KeyReport]:
    """Build the class from the config, load the weights of `options.weights` (a folder or a file in it), wrap it.

    Returns the network, ready for inference, the opened file, and the report of its tensors.
    Raises `CheckpointError`, one message: no config.json, another model_type, an unsupported setting, sharded weights,
    tensors that are missing, unexpected, of a wrong shape or not finite, unsupported preprocessing.
    """
    weights = find_weights(options.weights)
    config = read_config(weights.parent)
    _check(kind, weights.parent / "config.json", config)
    file = renamed_norms(open_weights(weights))
    rules = KeyRules(rf".*\.position_ids|{kind.training_only}", kind.aliases)
    model, keys = load_into(lambda: _built(kind, weights.parent, config), file, rules, options, family=kind.family)
    _tie(model, kind.aliases)
    _make_buffers(model, options.device)
    pixels = kind.pixels and read_pixels(weights.parent, _own_pixels(kind.pixels, model.config, weights.parent))
    return kind.network(model.eval(), pixels), file, keys


def _own_pixels(published: PixelLayout, config: Any, folder: Path) -> PixelLayout:
    """Return the preprocessing at the sizes of a checkpoint's config."""
    vision = getattr(config, "vision_config", config)
    size, patch = vision.image_size, vision.patch_size
    if type(size) is not int or type(patch) is not int or not 0 < patch <= size or size % patch:
        raise CheckpointError(
            f"config {folder / 'config.json'}: image_size must be a multiple of patch_size, got {size} and {patch}"
        )
    return replace(published, size=size, patch=patch)


def find_weights(checkpoint: Path) -> Path:
    """Return the weights file in a folder, or the file itself; `CheckpointError` for weights in several files."""
    if checkpoint.is_file() and checkpoint.name.endswith(".index.json"):
        raise CheckpointError(_sharded(checkpoint))
    if not checkpoint.is_dir():
        return checkpoint  # where it is missing, `open_weights` says so
    found = [checkpoint / name for name in _WEIGHTS if (checkpoint / name).is_file()]
    if found:
        return found[0]
    index = [checkpoint / f"{name}.index.json" for name in _WEIGHTS if (checkpoint / f"{name}.index.json").is_file()]
    if index:
        raise CheckpointError(_sharded(index[0]))
    raise CheckpointError(
        f"checkpoint {checkpoint}: the folder holds neither {' nor '.join(_WEIGHTS)}; "
        "give the folder that save_pretrained wrote, or the weights file in it"
    )


def _sharded(index: Path) -> str:
    return (
        f"checkpoint {index}: its weights are split over several files, which vlaudit does not put together; save the "
        'model again as one file: model.save_pretrained(DIR, max_shard_size="100GB")'
    )


def read_config(folder: Path) -> dict[str, Any]:
    """Return the config.json of a folder, decoded; `CheckpointError` where there is none or it is no JSON object."""
    path = folder / "config.json"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            f"checkpoint {folder}: it has no config.json, without which transformers' classes cannot be built; put the "
            "config.json of the model next to its weights"
        ) from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"config {path}: it could not be read as JSON: {error}") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"config {path} must be a JSON object, got {type(value).__name__}")
    return value


def _check(kind: Kind, path: Path, config: Mapping[str, Any]) -> None:
    stated = config.get("model_type")
    if stated != kind.model_type:
        raise CheckpointError(
            f"config {path}: {kind.family} needs model_type {kind.model_type!r}, got {stated!r}; "
            "give a folder of this model, or name the family that it belongs to with --model"
        )
    if missing := [name for name in kind.required if name not in config]:
        raise CheckpointError(f"config {path} must state {', '.join(missing)}; add what is missing")
    tied = {"tie_word_embeddings": True} if kind.aliases else {}
    for name, value in {**tied, **kind.fixed}.items():
        if config.get(name, value) != value:
            raise CheckpointError(
                f"config {path}: {name} must be {json.dumps(value)} (vlaudit reads no other {kind.family}), "
                f"got {json.dumps(config[name])}"
            )
    for section in kind.sections:
        _check_bounds(path, section, _known_settings(kind, section, config))


def _check_bounds(path: Path, section: str, settings: Mapping[str, Any]) -> None:
    for name, value in settings.items():
        most = _MOST.get(name, _MOST_OTHERWISE)
        if isinstance(value, int | float) and value > most:
            place = f"{section}.{name}" if section else name
            raise CheckpointError(f"config {path}: {place} must be at most {most}, got {value}")


def _known_settings(kind: Kind, section: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of one section that we read; a config can also name code, kernels and quantizers."""
    table = config.get(section, {}) if section else config
    if not isinstance(table, Mapping):
        raise CheckpointError(f"config of {kind.family}: {section} must be a JSON object, got {table!r}")
    return {name: table[name] for name in _SETTINGS if name in table}


def renamed_norms(file: WeightsFile) -> WeightsFile:
    """Return the file with today's names for the tensors of norms, where it has TensorFlow's."""

    def today(name: str) -> str:
        new = re.sub(r"(?<=LayerNorm\.)(gamma|beta)$", lambda found: _NORMS[found[0]], name)
        return name if new in file.tensors else new

    return replace(file, tensors={today(name): tensor for name, tensor in file.tensors.items()})


def _built(kind: Kind, folder: Path, config: Mapping[str, Any]) -> Any:
    """Build the class from the known settings alone."""
    transformers = importlib.import_module("transformers")
    known: dict[str, Any] = {}
    for section in kind.sections:
        settings = _known_settings(kind, section, config)
        known |= {section: settings} if section else settings
    try:
        model_class = getattr(transformers, kind.model_class)
        model: Any = model_class(model_class.config_class(**known))
    except Exception as error:  # noqa: BLE001 (which errors a config raises depends on the version)
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"config {folder / 'config.json'}: transformers cannot build a {kind.model_class} from it: {reason}"
        ) from None
    return model


def _tie(model: nn.Module, aliases: Mapping[str, str]) -> None:
    """Make every parameter that the model holds under a second name the one of its first name."""
    for second, first in aliases.items():
        where, _, name = second.rpartition(".")
        module = model.get_submodule(where)
        if getattr(module, name, None) is not None:
            setattr(module, name, model.get_parameter(first))


def _make_buffers(model: nn.Module, device: torch.device) -> None:
    """Create position numbers and the default token types (0): constants that no file needs to hold."""
    for module in model.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if name not in ("position_ids", "token_type_ids"):
                raise CheckpointError(f"this version of transformers has a buffer {name} that vlaudit does not know")
            row = torch.arange(buffer.shape[-1], device=device)[None]
            setattr(module, name, row if name == "position_ids" else torch.zeros_like(row))
