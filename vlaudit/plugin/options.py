"""The command line options of a run, read once into checked values."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from vlaudit.auditing.options import DEFAULT_LIMIT, ModelOptions, Options
from vlaudit.errors import UsageError

ALL = "all"
"""The value of --model for every family with bundled weights."""

OPTIONS: pytest.StashKey[Options] = pytest.StashKey()
"""Key of the options in the stash of a session."""

_GROUP = "vlaudit"
_TITLE = (
    "auditing vision-language models (--vlaudit-NAME may be written --NAME, json and html --audit-NAME, "
    "unless another plugin or a conftest.py has that option)"
)
_APPEND = {"action": "append", "default": []}
_FLAG = {"action": "store_true"}
_SETTINGS: dict[str, dict[str, Any]] = {
    "model": {
        **_APPEND,
        "metavar": "NAME",
        "help": "family to audit (albef), FILE.py:Class, or all: every family with bundled weights; may be repeated",
    },
    "checkpoint": {
        **_APPEND,
        "metavar": "[MODEL=]PATH",
        "help": "weights file (default: the bundled one); MODEL=PATH where several models run",
    },
    "data": {"default": "scenes", "metavar": "NAME[:PATH]", "help": "data set: scenes (default), coco:DIR, ..."},
    "limit": {"metavar": "N", "help": f"number of samples (default {DEFAULT_LIMIT})"},
    "device": {"default": "auto", "metavar": "NAME", "help": "auto (the GPU where there is one), cpu, cuda, cuda:N"},
    "dtype": {"default": "float32", "metavar": "NAME", "help": "float32 (default), bfloat16, float16"},
    "batch-size": {"default": "auto", "metavar": "auto|N", "help": "inputs per pass (default: found by trying)"},
    "seed": {"default": "0", "metavar": "N", "help": "seed of every random draw (default 0)"},
    "thresholds": {"metavar": "FILE", "help": "a thresholds.toml of your own"},
    "expect": {
        "default": "desirable",
        "metavar": "desirable|published",
        "help": "meaning of a pass: the desirable property (default), or the published finding reproduces",
    },
    "gate": {**_FLAG, "help": "for CI: an inconclusive criterion fails, and so does a run that judges nothing"},
    "json": {"metavar": "FILE", "help": "path of the JSON document (default: next to the HTML report)"},
    "html": {"metavar": "FILE", "help": "path of the HTML report (default: reports/MODEL.html)"},
    "tokenizer": {"metavar": "DIR|NAME", "help": "vocabulary, if there is none next to the checkpoint"},
    "download": {**_FLAG, "help": "allow downloads from the Hugging Face hub"},
}
_SHORT = {"json": "--audit-json", "html": "--audit-html"}  # --json and --html belong to other plugins


def add_options(parser: pytest.Parser) -> None:
    """Add the options under the names that no other plugin has."""
    group = parser.getgroup(_GROUP, _TITLE)
    for name, settings in _SETTINGS.items():
        group.addoption(f"--vlaudit-{name}", dest=_dest(name), **settings)


def add_short_names(parser: pytest.Parser, args: Sequence[str]) -> None:
    """Add the short names among the arguments, except those that another plugin or a conftest.py has.

    To be called when all of them are loaded. A short name that nobody uses is not added, so that it is in nobody's way.
    """
    group = parser.getgroup(_GROUP)
    for short, name in _free_short_names(parser):
        if any(arg == short or arg.startswith((f"{short}=", "@")) for arg in args):
            settings = {**_SETTINGS[name], "help": argparse.SUPPRESS}
            group.addoption(short, dest=_dest(name), **settings)


def paths_among(args: Sequence[str], config: pytest.Config, parser: pytest.Parser) -> list[str]:
    """Return the files and folders among the arguments, without the values of short names that are not added yet."""
    ours = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False, fromfile_prefix_chars="@")
    for short, name in _free_short_names(parser):
        ours.add_argument(short, dest=_dest(name), action=_SETTINGS[name].get("action", "store"))
    try:
        others = ours.parse_known_args(list(args))[1]
    except argparse.ArgumentError:
        others = list(args)  # pytest will say what is wrong
    return list(parser.parse_known_args(others, copy.copy(config.option)).file_or_dir)


def _free_short_names(parser: pytest.Parser) -> Iterator[tuple[str, str]]:
    groups = {id(group): group for group in (*parser._groups, parser._anonymous)}.values()  # noqa: SLF001 (pytest has no public list of options)
    taken = {name for group in groups for option in group.options for name in option.names()}
    for name in _SETTINGS:
        short = _SHORT.get(name, f"--{name}")
        if short not in taken:
            yield short, name


def _dest(name: str) -> str:
    return f"vlaudit_{name.replace('-', '_')}"


def read_options(config: pytest.Config) -> Options | None:
    """Return the options, or None if no model is named: the plugin then does nothing.

    Raises `UsageError`: a model given twice, a checkpoint without a model, a number that is malformed or out of range.
    """
    models = _models(config)
    if not models:
        return None
    batch_size, limit, expect = _get(config, "batch-size"), _get(config, "limit"), _get(config, "expect")
    if expect not in ("desirable", "published"):
        raise UsageError(f"--expect must be desirable or published, got {expect!r}")
    html = _path(config, "html") or _default_report(config)
    return Options(
        models=models,
        data=_get(config, "data"),
        limit=DEFAULT_LIMIT if limit is None else _whole("--limit", limit, least=1),
        batch_size=None if batch_size == "auto" else _whole("--batch-size", batch_size, least=1),
        seed=_whole("--seed", _get(config, "seed"), least=0),
        thresholds=_path(config, "thresholds"),
        expect=expect,
        gate=_get(config, "gate"),
        json=_path(config, "json") or html.with_suffix(".json"),
        html=html,
    )


def _get(config: pytest.Config, name: str) -> Any:
    return getattr(config.option, _dest(name))


def _path(config: pytest.Config, name: str) -> Path | None:
    text = _get(config, name)
    return Path(text) if text else None


def _whole(option: str, text: str, *, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise UsageError(f"{option} must be a whole number of at least {least}, got {text!r}")
    return number


def _default_report(config: pytest.Config) -> Path:
    name = "-".join(Path(model.partition(":")[0]).stem for model in dict.fromkeys(_get(config, "model")))
    return config.invocation_params.dir / "reports" / f"{name}.html"


def families(config: pytest.Config) -> list[str]:
    """Return the families to audit in the order given; "all" becomes every bundled one that is not named itself.

    Raises `UsageError`: a family given twice, "all" if no weights are bundled.
    """
    named: list[str] = list(_get(config, "model"))
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise UsageError(f"--model {twice[0]} is given twice; name each model once")
    return [family for name in named for family in (_all(named) if name == ALL else [name])]


def _all(named: Sequence[str]) -> list[str]:
    from vlaudit.models.bundled import bundled_families  # noqa: PLC0415 (imports torch)
    from vlaudit.models.registry import FAMILIES  # noqa: PLC0415 (imports torch)

    found = bundled_families(FAMILIES)
    if not found:
        raise UsageError("--model all: no weights are bundled with this installation; name models, with --checkpoint")
    return [family for family in found if family not in named]


def _models(config: pytest.Config) -> tuple[ModelOptions, ...]:
    named = families(config)
    paths = _checkpoints(_get(config, "checkpoint"), named)
    device, dtype, tokenizer = _get(config, "device"), _get(config, "dtype"), _get(config, "tokenizer")
    download = _get(config, "download")
    return tuple(ModelOptions(family, paths.get(family), device, dtype, tokenizer, download) for family in named)


def _checkpoints(given: Sequence[str], families: Sequence[str]) -> dict[str, Path]:
    """Pair checkpoints with models; a bare path belongs to the only model."""
    paths: dict[str, Path] = {}
    for text in given:
        owner, path = _owner(text, families)
        if owner in paths:
            raise UsageError(f"--checkpoint {text}: {owner} has one already ({paths[owner]})")
        paths[owner] = path
    return paths


def _owner(text: str, families: Sequence[str]) -> tuple[str, Path]:
    name, named, path = text.partition("=")
    if named and name in families:
        return name, Path(path)
    if named and "/" not in name and not Path(text).exists():
        raise UsageError(f"--checkpoint {text}: no model named {name} runs (--model: {', '.join(families) or 'none'})")
    if len(families) != 1:
        wanted = f"write {families[0]}=PATH" if families else "name the model with --model"
        raise UsageError(f"--checkpoint {text}: {len(families)} models run; {wanted}")
    return families[0], Path(text)
