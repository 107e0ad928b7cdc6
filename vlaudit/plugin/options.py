"""The command line options of a run, read once into checked values."""

from __future__ import annotations

import argparse
import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from vlaudit.auditing.options import (
    DEFAULT_LIMIT,
    ModelOptions,
    Options,
    check_distinct,
    check_expect,
    check_number,
)
from vlaudit.controls import CONTROLS, check_control
from vlaudit.errors import UsageError
from vlaudit.plugin.report_paths import ReportPaths

ALL = "all"
"""The value of --model for every family with bundled weights."""

OPTIONS: pytest.StashKey[tuple[Options, ReportPaths]] = pytest.StashKey()
"""Key of the options in the stash of a session."""

NAMES: pytest.StashKey[dict[str, str]] = pytest.StashKey()
"""Key of the models as typed, with their names; empty if the session audits none."""

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
    "limit": {"metavar": "N", "help": f"number of images, one caption each (default {DEFAULT_LIMIT})"},
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
    "control": {
        "metavar": "NAME",
        "help": f"give the models a known defect, to see whether the audits find it: {', '.join(CONTROLS)}",
    },
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

    Call it after all of them are loaded. Unused short names are not added, so that they cannot clash later.
    """
    group = parser.getgroup(_GROUP)
    for short, name in _free_short_names(parser):
        if any(arg == short or arg.startswith((f"{short}=", "@")) for arg in args):
            settings = {**_SETTINGS[name], "help": argparse.SUPPRESS}
            group.addoption(short, dest=_dest(name), **settings)


def paths_among(args: Sequence[str], config: pytest.Config, parser: pytest.Parser) -> list[str]:
    """Return the files and folders among the arguments, without the values of short names that are not added yet.

    An argument that follows a short name is a file or folder where a conftest.py that pytest would load for it declares
    that name: it is then an option of that project, perhaps a flag.
    """
    ours = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False, fromfile_prefix_chars="@")
    for short, name in _free_short_names(parser):
        if not _declared_by_value(short, args, config.rootpath):
            ours.add_argument(short, dest=_dest(name), action=_SETTINGS[name].get("action", "store"))
    try:
        others = ours.parse_known_args(list(args))[1]
    except argparse.ArgumentError:
        others = list(args)  # pytest reports the error
    return list(parser.parse_known_args(others, copy.copy(config.option)).file_or_dir)


def _declared_by_value(short: str, args: Sequence[str], root: Path) -> bool:
    """Return whether the argument after a short name is a path whose conftest.py declares that name."""
    values = [Path(value.partition("::")[0]).absolute() for name, value in pairwise(args) if name == short]
    for path in (value for value in values if value.exists()):
        folders = [one for one in (path, *path.parents) if one.is_relative_to(root)]
        for file in (*(folder / "conftest.py" for folder in folders), *path.glob("test*/conftest.py")):
            if file.is_file() and re.search(
                rf"""["']{short}["']""", file.read_text(encoding="utf-8", errors="replace")
            ):
                return True
    return False


def _free_short_names(parser: pytest.Parser) -> Iterator[tuple[str, str]]:
    groups = {id(group): group for group in (*parser._groups, parser._anonymous)}.values()  # noqa: SLF001 (pytest has no public list of options)
    taken = {name for group in groups for option in group.options for name in option.names()}
    for name in _SETTINGS:
        short = _SHORT.get(name, f"--{name}")
        if short not in taken:
            yield short, name


def _dest(name: str) -> str:
    return f"vlaudit_{name.replace('-', '_')}"


def read_options(config: pytest.Config) -> tuple[Options, ReportPaths] | None:
    """Return the options and the paths of the reports, or None if no model is named: the plugin then does nothing.

    Raises `UsageError`: a checkpoint without a model, a number that is malformed or out of range.
    """
    names = config.stash[NAMES]
    models = _models(config, names)
    if not models:
        return None
    batch_size, limit = _get(config, "batch-size"), _get(config, "limit")
    options = Options(
        models=models,
        data=_get(config, "data"),
        limit=DEFAULT_LIMIT if limit is None else check_number("--limit", limit, least=1),
        batch_size=None if batch_size == "auto" else check_number("--batch-size", batch_size, least=1),
        seed=check_number("--seed", _get(config, "seed"), least=0),
        thresholds=_path(config, "thresholds"),
        expect=check_expect("--expect", _get(config, "expect")),
        gate=_get(config, "gate"),
    )
    folder = config.invocation_params.dir / "reports"
    return options, ReportPaths(_path(config, "html"), _path(config, "json"), folder, _models_in_name(config))


def _get(config: pytest.Config, name: str) -> Any:
    return getattr(config.option, _dest(name))


def _path(config: pytest.Config, name: str) -> Path | None:
    text = _get(config, name)
    return Path(text) if text else None


def _models_in_name(config: pytest.Config) -> str:
    return "-".join(Path(model.partition(":")[0]).stem for model in dict.fromkeys(_get(config, "model")))


def read_names(config: pytest.Config) -> dict[str, str]:
    """Return the models in the order given, each with its name in test ids and reports.

    "all" becomes every bundled family that is not named itself; a model of one's own has the name of its adapter.
    Raises `UsageError`: a model given twice, an unknown family, "all" if no weights are bundled.
    """
    named: list[str] = list(_get(config, "model"))
    check_distinct("--model", named)
    specs = [spec for name in named for spec in (_all(named) if name == ALL else [name])]
    if not any(":" in spec for spec in specs):
        return dict(zip(specs, specs, strict=True))
    from vlaudit.models.registry import display_names, find_family  # noqa: PLC0415 (imports torch)

    for spec in specs:
        if ":" not in spec:  # a misspelt family is found before a file is run
            find_family(spec)
    return display_names(specs)


def _all(named: Sequence[str]) -> list[str]:
    from vlaudit.models.bundled import bundled_families  # noqa: PLC0415 (imports torch)
    from vlaudit.models.registry import FAMILIES  # noqa: PLC0415 (imports torch)

    found = bundled_families(FAMILIES)
    if not found:
        raise UsageError("--model all: no weights are bundled with this installation; name models, with --checkpoint")
    return [family for family in found if family not in named]


def _models(config: pytest.Config, names: Mapping[str, str]) -> tuple[ModelOptions, ...]:
    paths = _checkpoints(_get(config, "checkpoint"), names)
    device, dtype, tokenizer = _get(config, "device"), _get(config, "dtype"), _get(config, "tokenizer")
    download, control = _get(config, "download"), check_control("--control", _get(config, "control"))
    return tuple(
        ModelOptions(name, spec, paths.get(spec), device, dtype, tokenizer, download, control=control)
        for spec, name in names.items()
    )


def _checkpoints(given: Sequence[str], names: Mapping[str, str]) -> dict[str, Path]:
    """Pair checkpoints with models; a bare path belongs to the only model."""
    paths: dict[str, Path] = {}
    for text in given:
        owner, path = _owner(text, names)
        if owner in paths:
            raise UsageError(f"--checkpoint {text}: {owner} has one already ({paths[owner]})")
        paths[owner] = path
    return paths


def _owner(text: str, names: Mapping[str, str]) -> tuple[str, Path]:
    """Return the model and the path of a checkpoint; the model may be given as typed or by its name."""
    given, named, path = text.partition("=")
    owner = next((spec for spec, name in names.items() if given in (spec, name)), None)
    if named and owner is not None:
        return owner, Path(path)
    if named and "/" not in given and not Path(text).exists():
        raise UsageError(f"--checkpoint {text}: no model named {given} runs (--model: {', '.join(names) or 'none'})")
    if len(names) != 1:
        wanted = f"write {next(iter(names))}=PATH" if names else "name the model with --model"
        raise UsageError(f"--checkpoint {text}: {len(names)} models run; {wanted}")
    return next(iter(names)), Path(text)
