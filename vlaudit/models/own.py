"""Import an adapter of one's own: `FILE.py:Class` or `module:Class`; the name may also be that of a function."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType

from vlaudit.errors import UsageError, VlauditError
from vlaudit.seeds import digest

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def find_own(name: str) -> Callable[..., object]:
    """Return the class or function that `name` refers to; a file is executed once per process.

    Raises `UsageError`, with file and line, where the file is missing or fails, or does not define the name.
    """
    where, _, attribute = name.rpartition(":")
    with reported(name, f"importing {where}"):
        module = _from_file(where) if where.endswith(".py") else _by_name(where)
    found = getattr(module, attribute, None)
    if not callable(found):
        raise UsageError(f"--model {name}: {where} must define a class or function {attribute!r}, got {found!r}")
    made: Callable[..., object] = found
    return made


def takes_options(make: Callable[..., object]) -> bool:
    """Return whether a class or function is to be called with `LoadOptions`.

    It is where its signature requires a positional argument or accepts `*args`, or where an optional argument is called
    `options` or annotated with `LoadOptions`. Other optional arguments are settings of its own and keep their defaults.
    """
    try:
        parameters = inspect.signature(make).parameters.values()
    except ValueError:  # builtins state no signature
        return False
    return any(map(_takes_options, parameters))


def _takes_options(parameter: inspect.Parameter) -> bool:
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        return True
    named = parameter.name == "options" or "LoadOptions" in str(parameter.annotation)
    return parameter.kind in _POSITIONAL and (named or parameter.default is inspect.Parameter.empty)


@contextmanager
def reported(name: str, doing: str) -> Iterator[None]:
    """Turn an exception of one's own code into one `UsageError` with file and line; our own errors pass through."""
    try:
        yield
    except VlauditError:
        raise
    except (Exception, SystemExit) as error:  # a script without a main guard exits when it is imported
        text = f"{type(error).__name__}: {error}".removesuffix(": ")
        raise UsageError(f"--model {name}: {doing} failed{_place(error, name)}: {text}") from error


def _place(error: BaseException, name: str) -> str:
    """Return file and line of the innermost frame in one's own file, or of the innermost frame outside it."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" at {error.filename}, line {error.lineno}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename not in _MACHINERY]
    own = [frame for frame in frames if Path(frame.filename) == _file_of(name)]
    return "".join(f" at {frame.filename}, line {frame.lineno}" for frame in (own or frames)[-1:])


def _file_of(name: str) -> Path | None:
    where = name.rpartition(":")[0]
    if where.endswith(".py"):
        return Path(where).expanduser().resolve()
    file = getattr(sys.modules.get(where), "__file__", None)
    return Path(file) if file else None


_MACHINERY = (__file__, importlib.__file__, "<frozen importlib._bootstrap>", "<frozen importlib._bootstrap_external>")


def _from_file(where: str) -> ModuleType:
    path = Path(where).expanduser().resolve()
    if not path.is_file():
        raise UsageError(f"--model {where}:...: there is no such file; check the path")
    return _executed(path, path.stat().st_mtime_ns)


def _by_name(where: str) -> ModuleType:
    try:
        return importlib.import_module(where)
    except ModuleNotFoundError as error:
        if error.name and (where == error.name or where.startswith(f"{error.name}.")):
            raise UsageError(f"--model {where}:...: {error}; give FILE.py:Class or an installed module") from None
        raise


@cache  # a class keeps its identity however often its model is loaded
def _executed(path: Path, modified: int) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"vlaudit_own_{path.stem}_{digest(path, modified)[:8]}", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"--model {path}:...: Python cannot import this file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module
