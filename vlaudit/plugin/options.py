"""The options of a run, read once into values that are checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from vlaudit.auditing.options import DEFAULT_LIMIT, Asked, Options
from vlaudit.errors import UsageError

ALL = "all"
"""What stands after --model for every family whose weights are bundled."""

OPTIONS: pytest.StashKey[Options] = pytest.StashKey()
"""Where a session keeps what was asked for."""


def unfinished(report: Path) -> Path:
    """Return where pytest-html writes before the page is finished: a report is replaced whole or not at all."""
    return report.with_name(f".{report.name}.partial")


def add_options(parser: pytest.Parser) -> None:
    """Add the options of a run to pytest's."""
    group = parser.getgroup("vlaudit", "auditing vision-language models")
    add = group.addoption
    add(
        "--model",
        action="append",
        default=[],
        metavar="NAME",
        help="family to audit (albef), FILE.py:Class, or all: every family with bundled weights; repeat it",
    )
    add(
        "--checkpoint",
        action="append",
        default=[],
        metavar="[MODEL=]PATH",
        help="weights file (default: the bundled one); MODEL=PATH where several models run",
    )
    add(
        "--data", default="scenes", metavar="NAME[:PATH]", help="what is shown to the model: scenes (default), coco:DIR"
    )
    add("--limit", default=None, metavar="N", help=f"read N samples of the data (default {DEFAULT_LIMIT})")
    add("--device", default="auto", help="auto (the GPU where there is one), cpu, cuda, cuda:N")
    add("--dtype", default="float32", help="float32 (default), bfloat16, float16")
    add("--batch-size", default="auto", metavar="auto|N", help="inputs a pass (default: found by trying)")
    add("--seed", default="0", metavar="N", help="seed of every random draw (default 0)")
    add("--thresholds", metavar="FILE", help="a thresholds.toml of your own")
    add("--expect", default="desirable", metavar="desirable|published", help="what a pass means (default: desirable)")
    add("--gate", action="store_true", help="for CI: an inconclusive criterion fails, nothing measured is an error")
    add("--audit-json", metavar="FILE", help="where the JSON document goes (default: beside the HTML report)")
    add("--tokenizer", metavar="DIR|NAME", help="vocabulary, where none lies beside the checkpoint")
    add("--download", action="store_true", help="allow a fetch from the Hugging Face hub")


def read_options(config: pytest.Config) -> Options | None:
    """Return what was asked for, or None where no model is named: the plugin then stays out of the way.

    Raises `UsageError`: a model twice, a checkpoint without a model, a number that is none or out of range.
    """
    get = config.getoption
    models = _models(config)
    if not models:
        return None
    batch_size = get("batch_size")
    if get("expect") not in ("desirable", "published"):
        raise UsageError(f"--expect must be desirable or published, got {get('expect')!r}")
    return Options(
        models=models,
        data=get("data"),
        limit=DEFAULT_LIMIT if get("limit") is None else _whole("--limit", get("limit"), least=1),
        batch_size=None if batch_size == "auto" else _whole("--batch-size", batch_size, least=1),
        seed=_whole("--seed", get("seed"), least=0),
        thresholds=Path(get("thresholds")) if get("thresholds") else None,
        expect=get("expect"),
        gate=get("gate"),
        json=Path(get("audit_json")) if get("audit_json") else None,
        html=_html_path(config),
    )


def _whole(option: str, text: str, *, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise UsageError(f"{option} must be a whole number of at least {least}, got {text!r}")
    return number


def _html_path(config: pytest.Config) -> Path:
    """Return where the report goes: where pytest-html was told, else `reports/` under the folder of the run."""
    told = getattr(config.option, "htmlpath", None)
    if told:
        return Path(told)
    name = "-".join(Path(model.partition(":")[0]).stem for model in dict.fromkeys(config.getoption("model")))
    return config.invocation_params.dir / "reports" / f"{name}.html"


def families(config: pytest.Config) -> list[str]:
    """Return the families to audit as they were named, "all" as every bundled one that is not named itself.

    Raises `UsageError`: a family twice, "all" where nothing is bundled.
    """
    named: list[str] = list(config.getoption("model"))
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise UsageError(f"--model {twice[0]} is given twice; name each model once")
    return [family for name in named for family in (_all(named) if name == ALL else [name])]


def _all(named: Sequence[str]) -> list[str]:
    from vlaudit.models.bundled import bundled_families  # noqa: PLC0415 (torch comes with it)
    from vlaudit.models.registry import FAMILIES  # noqa: PLC0415 (the same)

    found = bundled_families(FAMILIES)
    if not found:
        raise UsageError("--model all: no weights are bundled with this installation; name models, with --checkpoint")
    return [family for family in found if family not in named]


def _models(config: pytest.Config) -> tuple[Asked, ...]:
    asked = families(config)
    paths = _checkpoints(config.getoption("checkpoint"), asked)
    get = config.getoption
    return tuple(
        Asked(family, paths.get(family), get("device"), get("dtype"), get("tokenizer"), get("download"))
        for family in asked
    )


def _checkpoints(given: Sequence[str], families: Sequence[str]) -> dict[str, Path]:
    """Pair checkpoints with models; a bare path belongs to the only model there is."""
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
