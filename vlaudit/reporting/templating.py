"""Fill in the templates of the report; values are escaped unless they are markup."""

from __future__ import annotations

from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from vlaudit.reporting import wording


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("vlaudit.reporting"),
        autoescape=True,
        undefined=StrictUndefined,  # a missing name is an error, never an empty cell
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": wording.number, "plural": wording.plural}
    return environment


def fill(template: str, **values: object) -> Markup:
    """Return a filled-in template of `templates/`."""
    return Markup(_environment().get_template(template).render(**values))  # noqa: S704 (it is escaped inside)


@cache
def resource(name: str) -> str:
    """Return the text of a style sheet or script of `templates/`."""
    return resources.files("vlaudit.reporting").joinpath("templates", name).read_text(encoding="utf-8")
