"""Read a folder as transformers writes it: config.json beside the weights, vocab.txt beside both.

Not `from_pretrained`: that draws what a file lacks at random, leaves out what it does not know, and follows
references in the config to code elsewhere. Here names decide, all or nothing, and only known settings are read.
Tested with transformers 4.45, 4.53, 4.57 and 5.23.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vlaudit.errors import CheckpointError
from vlaudit.models.base import LoadOptions
from vlaudit.models.checkpoint import KeyReport, KeyRules, WeightsFile, open_weights
from vlaudit.models.load_into import load_into

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_SETTINGS = (
    "vocab_size",
    "hidden_size",
    "num_attention_heads",
    "intermediate_size",
    "hidden_act",
    "max_position_embeddings",
    "type_vocab_size",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
)
_REQUIRED = ("vocab_size", "hidden_size", "num_attention_heads")
_MOST = {"num_hidden_layers": 1000, "l_layers": 1000, "r_layers": 1000, "x_layers": 1000}
_MOST_OTHERWISE = 2**24
"""Bounds of sizes: a config comes with a file that nobody vouches for, and a class is built before it is compared."""
_NORMS = {"gamma": "weight", "beta": "bias"}  # TensorFlow's names, in the files converted first


@dataclass(frozen=True)
class Kind:
    """A class of transformers, and what its folders may hold.

    `base` is the name of the encoder inside the model. `settings` are read from the config beside those that all
    kinds have; `fixed` ones must have the given value where the config says them. `training_only` is a regular
    expression over whole tensor names (see `KeyRules`).
    """

    family: str
    model_type: str
    config_class: str
    model_class: str
    base: str
    settings: tuple[str, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict)
    training_only: str = r"(?!)"


def model_type(checkpoint: Path) -> str | None:
    """Return the `model_type` of the config.json in a folder or beside a file; None where nothing says one."""
    folder = checkpoint if checkpoint.is_dir() else checkpoint.parent
    if not (folder / "config.json").is_file():
        return None
    found = _config(folder).get("model_type")
    return found if isinstance(found, str) else None


def load_class(kind: Kind, options: LoadOptions) -> tuple[Any, WeightsFile, KeyReport]:
    """Build the class from the config and fill it with the weights of `options.checkpoint`, a folder or a file in it.

    Returns the model, ready for inference, what was opened, and what became of its tensors.
    Raises `CheckpointError`, one message: no config.json, another model_type, a setting that is not supported, sharded
    weights, tensors that are missing, unexpected, wrongly shaped or not finite.
    """
    weights = _weights(options.checkpoint)
    config = _config(weights.parent)
    _check(kind, weights.parent / "config.json", config)
    file = _renamed(open_weights(weights))
    aliases = {
        "cls.predictions.decoder.weight": f"{kind.base}.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias",
    }
    rules = KeyRules(rf"{kind.base}\.embeddings\.position_ids|{kind.training_only}", aliases)
    model, keys = load_into(lambda: _built(kind, weights.parent, config), file, rules, options, family=kind.family)
    _tie(model, kind)
    _make_buffers(model, options.device)
    return model.eval(), file, keys


def _weights(checkpoint: Path) -> Path:
    """Find the weights in a folder, or take the file; refuse what transformers splits over several files."""
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


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            f"checkpoint {folder}: it has no config.json, without which transformers' classes cannot be built; put the "
            "config.json of the model beside its weights"
        ) from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"config {path}: it could not be read as JSON: {error}") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"config {path} must be a JSON object, got {type(value).__name__}")
    return value


def _check(kind: Kind, path: Path, config: Mapping[str, Any]) -> None:
    said = config.get("model_type")
    if said != kind.model_type:
        raise CheckpointError(
            f"config {path}: {kind.family} needs model_type {kind.model_type!r}, got {said!r}; "
            "give a folder of this model, or name the family that it belongs to with --model"
        )
    if missing := [name for name in _REQUIRED if name not in config]:
        raise CheckpointError(f"config {path} must say {', '.join(missing)}; add what is missing")
    for name, value in {"tie_word_embeddings": True, **kind.fixed}.items():
        if config.get(name, value) != value:
            raise CheckpointError(
                f"config {path}: {name} must be {json.dumps(value)} (vlaudit reads no other {kind.family}), "
                f"got {json.dumps(config[name])}"
            )
    for name in (*_SETTINGS, *kind.settings):
        most = _MOST.get(name, _MOST_OTHERWISE)
        if isinstance(config.get(name), int | float) and config[name] > most:
            raise CheckpointError(f"config {path}: {name} must be at most {most}, got {config[name]}")


def _renamed(file: WeightsFile) -> WeightsFile:
    """Give the norms' tensors the names that they have today, where the file has the older ones."""

    def today(name: str) -> str:
        new = re.sub(r"(?<=LayerNorm\.)(gamma|beta)$", lambda found: _NORMS[found[0]], name)
        return name if new in file.tensors else new

    return replace(file, tensors={today(name): tensor for name, tensor in file.tensors.items()})


def _built(kind: Kind, folder: Path, config: Mapping[str, Any]) -> nn.Module:
    """Make the class from the known settings alone: a config can also name code, kernels and quantisers."""
    transformers = importlib.import_module("transformers")
    known = {name: config[name] for name in (*_SETTINGS, *kind.settings) if name in config}
    try:
        made = getattr(transformers, kind.config_class)(**known)
        model: nn.Module = getattr(transformers, kind.model_class)(made)
    except Exception as error:  # noqa: BLE001 (its checks of a config raise what the version at hand likes)
        reason = " ".join(str(error).split())
        raise CheckpointError(
            f"config {folder / 'config.json'}: transformers cannot build a {kind.model_class} from it: {reason}"
        ) from None
    return model


def _tie(model: nn.Module, kind: Kind) -> None:
    """Make the word head's tensors one with those that they repeat."""
    head = model.get_submodule("cls.predictions")
    decoder = head.get_submodule("decoder")
    decoder.weight = model.get_submodule(f"{kind.base}.embeddings.word_embeddings").weight
    if decoder.bias is not None:
        decoder.bias = head.bias


def _make_buffers(model: nn.Module, device: torch.device) -> None:
    """Count positions and zero the default token types: constants that no file needs to carry."""
    for module in model.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if name not in ("position_ids", "token_type_ids"):
                raise CheckpointError(f"this version of transformers has a buffer {name} that vlaudit does not know")
            row = torch.arange(buffer.shape[-1], device=device)[None]
            setattr(module, name, row if name == "position_ids" else torch.zeros_like(row))
