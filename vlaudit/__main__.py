"""Command line for everything that is not a test: `vlaudit COMMAND` or `python -m vlaudit COMMAND`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from vlaudit.errors import VlauditError


class Command(NamedTuple):
    """A subcommand: one line of help, a function that adds its arguments, and a function that runs it."""

    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], None]


def _scenes_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0, help="seed of the scenes, an integer of at least 0 (default: 0)")
    parser.add_argument("--rows", type=int, default=6, help="number of scenes to show (default: 6)")
    parser.add_argument("--out", type=Path, required=True, help="PNG file to write")


def _scenes(options: argparse.Namespace) -> None:
    # imported here to keep `--help` and the other commands fast
    from vlaudit.datasets.scenes import Scenes  # noqa: PLC0415
    from vlaudit.reporting.contact_sheet import draw_sheet, save  # noqa: PLC0415

    sheet = draw_sheet(Scenes(options.seed, limit=200 * max(options.rows, 1)), options.rows, options.seed)
    save(sheet, options.out)
    print(options.out)


def _no_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no arguments."""


def _schema(options: argparse.Namespace) -> None:  # noqa: ARG001 (signature of every command)
    import json  # noqa: PLC0415

    from vlaudit.reporting.document import schema  # noqa: PLC0415

    print(json.dumps(schema(), indent=2))


def _thresholds(options: argparse.Namespace) -> None:  # noqa: ARG001 (signature of every command)
    from vlaudit.thresholds import shipped_text  # noqa: PLC0415

    print(shipped_text(), end="")


def _reference(options: argparse.Namespace) -> None:  # noqa: ARG001 (signature of every command)
    from vlaudit.reference import reference  # noqa: PLC0415

    print(reference(), end="")


COMMANDS = {
    "reference": Command("print the reference page of the public names", _no_arguments, _reference),
    "scenes": Command("draw a sheet of scenes next to their perturbations", _scenes_arguments, _scenes),
    "schema": Command("print the JSON schema of the verdict document", _no_arguments, _schema),
    "thresholds": Command("print the shipped thresholds file", _no_arguments, _thresholds),
}
"""Subcommands by name."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code: 0, or 2 after printing one line to stderr if it fails."""
    parser = argparse.ArgumentParser(
        prog="vlaudit", description="Commands of vlaudit. The audits themselves run with pytest."
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        command.arguments(subparsers.add_parser(name, help=command.help, description=command.help))
    options = parser.parse_args(arguments)
    try:
        COMMANDS[options.command].run(options)
    except VlauditError as error:
        print(f"vlaudit {options.command}: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
