"""Names that `--model` accepts: bundled families, families of installed packages, and adapters of one's own."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points

from vlaudit.errors import UsageError, nearest
from vlaudit.models.own import find_own, takes_options


@dataclass(frozen=True)
class Family:
    """One name after `--model`: its loader, whether it needs a weights file, and which bundled file is its default.

    `bundled` is the family under whose name its weights are bundled, where that is another one.
    """

    loader: str
    needs_weights: bool = True
    bundled: str = ""


# One line per family: "module:function", imported on demand. `--model all` runs them in this order.
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
    "toy-grounded": Family("vlaudit.models.toy:GroundedToy", needs_weights=False),
    "toy-blind": Family("vlaudit.models.toy:BlindToy", needs_weights=False),
}


@dataclass(frozen=True)
class ModelSource:
    """Target of a name after `--model`: the class or function that makes the model, and how to call it.

    `takes_options`: it is called with `LoadOptions`, otherwise without arguments. `own`: it is code of the user's.
    `bundled` names the bundled weights that replace a missing checkpoint; None where there is no default.
    """

    make: Callable[..., object]
    takes_options: bool = True
    own: bool = False
    bundled: str | None = None


def known_families() -> list[str]:
    """Return every family name that `--model` accepts: bundled ones, and those of installed packages."""
    return sorted({*FAMILIES, *(point.name for point in entry_points(group="vlaudit.models"))})


def find_family(name: str) -> ModelSource:
    """Return the source of the model that `name` refers to.

    Families (ours, or registered by a package under the entry point group `vlaudit.models`) are called with
    `LoadOptions`; code of one's own (`FILE.py:Class`, `module:Class`) is if its signature takes an argument.
    Raises `UsageError`: an unknown name, with the nearest ones, or code of one's own that cannot be imported.
    """
    if name in FAMILIES:
        family = FAMILIES[name]
        return ModelSource(_imported(family.loader), family.needs_weights, bundled=family.bundled or name)
    for point in entry_points(group="vlaudit.models", name=name):
        return ModelSource(point.load(), bundled=name)
    if ":" in name:
        make = find_own(name)
        return ModelSource(make, takes_options(make), own=True)
    raise UsageError(
        f"--model {name}: there is no such family{nearest(name, known_families())} "
        "A model of your own is named FILE.py:Class"
    )


def _imported(target: str) -> Callable[..., object]:
    module, _, attribute = target.partition(":")
    found: Callable[..., object] = getattr(importlib.import_module(module), attribute)
    return found


def display_name(model: str) -> str:
    """Return the name of a model in test ids and reports: a family's own, otherwise the adapter's `name`.

    `model` is the text after `--model`. For code of one's own this is the class attribute `name`, or the name of the
    class or function where it has none or cannot be imported (`vlaudit.load` reports the error). No model is made.
    """
    if ":" not in model:
        return model
    try:
        name = getattr(find_own(model), "name", None)
    except UsageError:
        name = None
    return name if isinstance(name, str) and name else model.rpartition(":")[2]


def display_names(models: Sequence[str]) -> dict[str, str]:
    """Return the display name of each model, all different.

    Where two would be equal (an inherited `name`), a model of one's own takes the name of its class or function, and
    the text after `--model` where these are equal too.
    """
    shown = {model: display_name(model) for model in models}
    for fallback in (lambda model: model.rpartition(":")[2], str):
        names = list(shown.values())
        shown |= {model: fallback(model) for model, name in shown.items() if ":" in model and names.count(name) > 1}
    return shown
