"""`python -m vlaudit COMMAND`: what is not a test."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from vlaudit.errors import VlauditError


class Command(NamedTuple):
    """A subcommand: one line of help, what it takes, and what it does."""

    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], None]


def _scenes_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0, help="which scenes: a whole number, 0 or more (default: 0)")
    parser.add_argument("--rows", type=int, default=6, help="how many scenes to show (default: 6)")
    parser.add_argument("--out", type=Path, required=True, help="PNG file to write")


def _scenes(options: argparse.Namespace) -> None:
    # imported here, so that `--help` and other commands need not wait for what they do not use
    from vlaudit.datasets.scenes import Scenes  # noqa: PLC0415
    from vlaudit.reporting.contact_sheet import draw_sheet, save  # noqa: PLC0415

    sheet = draw_sheet(Scenes(options.seed, limit=200 * max(options.rows, 1)), options.rows, options.seed)
    save(sheet, options.out)
    print(options.out)


def _no_arguments(parser: argparse.ArgumentParser) -> None:
    """Take nothing."""


def _schema(options: argparse.Namespace) -> None:  # noqa: ARG001 (what every command is given)
    import json  # noqa: PLC0415

    from vlaudit.reporting.document import schema  # noqa: PLC0415

    print(json.dumps(schema(), indent=2))


def _thresholds(options: argparse.Namespace) -> None:  # noqa: ARG001 (what every command is given)
    from vlaudit.thresholds import shipped_text  # noqa: PLC0415

    print(shipped_text(), end="")


COMMANDS = {
    "scenes": Command("draw a sheet of scenes beside their perturbations", _scenes_arguments, _scenes),
    "schema": Command("print the JSON schema of the document that a run writes", _no_arguments, _schema),
    "thresholds": Command("print the thresholds that ship, to start your own file from", _no_arguments, _thresholds),
}
"""Every subcommand by its name."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0, or 2 after one line on stderr where it cannot be done as asked."""
    parser = argparse.ArgumentParser(prog="python -m vlaudit", description="What vlaudit does beside its tests.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        command.arguments(subparsers.add_parser(name, help=command.help, description=command.help))
    options = parser.parse_args(arguments)
    try:
        COMMANDS[options.command].run(options)
    except VlauditError as error:
        print(f"python -m vlaudit {options.command}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
