"""The families that `--model` knows, and how a model of one's own is named."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from vlaudit.errors import UsageError, nearest
from vlaudit.models.base import LoadOptions, ModelAdapter

Loader = Callable[[LoadOptions], ModelAdapter]


@dataclass(frozen=True)
class Family:
    """One name after `--model`: where its loader is, whether it needs a weights file, and whose bundled one it takes.

    `bundled` is the family under whose name its weights are bundled, where that is another one.
    """

    loader: str
    needs_weights: bool = True
    bundled: str = ""


# One line a family: "module:function", imported when it is asked for. `--model all` runs them in this order.
FAMILIES: dict[str, Family] = {
    "albef": Family("vlaudit.models.albef.loading:load"),
    "uniter": Family("vlaudit.models.uniter.loading:load"),
    "lxmert": Family("vlaudit.models.lxmert.loading:load"),
    "vilbert": Family("vlaudit.models.volta.loading:load_vilbert"),
    "vl-bert": Family("vlaudit.models.volta.loading:load_vl_bert"),
    "visualbert": Family("vlaudit.models.volta.loading:load_visualbert"),
    "bert": Family("vlaudit.models.hf.loading:load_bert"),
    "vilt": Family("vlaudit.models.hf.loading:load_vilt"),
    "blip": Family("vlaudit.models.hf.loading:load_blip"),
    "ctrl_lxmert": Family("vlaudit.models.volta.loading:load_lxmert"),
    "ctrl_uniter": Family("vlaudit.models.volta.loading:load_uniter"),
    "ctrl_vilbert": Family("vlaudit.models.volta.loading:load_vilbert", bundled="vilbert"),
    "ctrl_visualbert": Family("vlaudit.models.volta.loading:load_visualbert", bundled="visualbert"),
    "ctrl_vl-bert": Family("vlaudit.models.volta.loading:load_vl_bert", bundled="vl-bert"),
    "toy-grounded": Family("vlaudit.models.toy:load_grounded", needs_weights=False),
    "toy-blind": Family("vlaudit.models.toy:load_blind", needs_weights=False),
}


def known_families() -> list[str]:
    """Return every name that `--model` takes here: our own, and those of installed packages."""
    return sorted({*FAMILIES, *(point.name for point in entry_points(group="vlaudit.models"))})


def find_family(name: str) -> tuple[Callable[[LoadOptions], Any] | Callable[[], Any], bool]:
    """Return what makes the model of this name, and whether it is given `LoadOptions`.

    A family (ours, or one that a package registers under the entry point group `vlaudit.models`) is given them; a
    class of one's own, `FILE.py:Class` or `module:Class`, is called without arguments.
    Raises `UsageError`, offering the nearest names.
    """
    if name in FAMILIES:
        return _imported(FAMILIES[name].loader), True
    for point in entry_points(group="vlaudit.models", name=name):
        return point.load(), True
    if ":" in name:
        return _own(name), False
    raise UsageError(
        f"--model {name}: there is no such family{nearest(name, known_families())} "
        "A model of your own is named FILE.py:Class"
    )


def _imported(target: str) -> Callable[..., Any]:
    module, _, attribute = target.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return found


def _own(name: str) -> Callable[[], Any]:
    where, _, attribute = name.rpartition(":")
    module = _module_from_file(Path(where)) if where.endswith(".py") else _module_by_name(where, name)
    found = getattr(module, attribute, None)
    if not callable(found):
        raise UsageError(f"--model {name}: {where} has no class or function {attribute!r}")
    own: Callable[[], Any] = found
    return own


def _module_from_file(path: Path) -> Any:
    if not path.is_file():
        raise UsageError(f"--model {path}:...: there is no such file; check the path")
    spec = importlib.util.spec_from_file_location(f"vlaudit_own_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"--model {path}:...: Python cannot import this file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _module_by_name(module: str, name: str) -> Any:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UsageError(f"--model {name}: {error}; name a file as FILE.py:Class, or an installed module") from None
