"""Read an untrusted weights file: no code in it is executed, and it is loaded completely or not at all.

`.safetensors` and PyTorch's zip format are memory-mapped, so that a tensor is read when it is copied to its place and
never held twice; PyTorch's old format, which cannot be mapped, is read whole.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import threading
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from vlaudit.errors import CheckpointError
from vlaudit.models.signatures import resembles

_WRAPPERS = ("model", "state_dict", "model_state_dict")
_LISTED = 5
# A pickled magic number, which torch.save wrote first before it wrote zip archives.
_OLD_FORMAT = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


class FileHash(threading.Thread):
    """The SHA-256 of a file, computed in a thread during loading.

    Hashing releases the interpreter lock, and reads the pages that loading needs.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.path, self.digest = path, ""
        self.failure: OSError | None = None
        self.start()

    def run(self) -> None:
        """Compute it, in the thread."""
        try:
            with self.path.open("rb") as file:
                self.digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            self.failure = error

    def result(self) -> str:
        """Wait, and return 64 hexadecimal digits; `CheckpointError` where the file could not be read to its end."""
        self.join()
        if self.failure is not None:
            raise CheckpointError(f"checkpoint {self.path}: it could not be read: {self.failure}")
        return self.digest


@dataclass(frozen=True)
class WeightsFile:
    """An opened weights file: its tensors by name, and its settings.

    `config` is the content of a `config.json` next to the file; where there is none, the settings inside the file.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    config: Mapping[str, Any]
    sha256: FileHash = field(repr=False)


def open_weights(path: str | Path) -> WeightsFile:
    """Open a `.pth`, `.pt`, `.bin` or `.safetensors` file; its content decides the format, not its suffix.

    Raises `CheckpointError`, naming the file and the remedy: missing, a folder, empty, truncated, not a checkpoint,
    objects other than tensors and plain data.
    """
    path = Path(path).expanduser()
    kind = _sniff(path)
    sha256 = FileHash(path)
    if kind == "safetensors":
        tensors, carried = _open_safetensors(path)
    else:
        tensors, carried = _open_torch(path, mapped=kind == "zip")
    return WeightsFile(path, tensors, _config_next_to(path) or carried, sha256)


def _sniff(path: Path) -> str:
    """Detect the format from the first bytes."""
    head = _first_bytes(path)
    # Checked first: these files start with the length of their header, which can look like another format's mark.
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") + 8 <= path.stat().st_size:
        return "safetensors"
    if head.startswith(b"PK\x03\x04"):
        return "zip"
    if head.startswith(b"version https://git-lfs"):
        raise CheckpointError(
            f"checkpoint {path}: this is a Git LFS pointer of {path.stat().st_size} bytes, not the weights; "
            "fetch the file itself (git lfs pull)"
        )
    if head.lstrip()[:1] == b"<":
        raise CheckpointError(
            f"checkpoint {path}: this is a web page, not weights; the download probably met a login or an error page"
        )
    if head.startswith(_OLD_FORMAT):
        return "old"
    if head[:1] == b"\x80":
        raise CheckpointError(
            f"checkpoint {path}: this is a Python pickle that torch.save did not write. Reading a pickle can run code "
            "from the file, so nothing of it was loaded; save it again with torch.save or as safetensors"
        )
    if len(head) > 8 and head[8:9] == b"{":
        return "safetensors"
    raise CheckpointError(
        f"checkpoint {path}: this is neither a PyTorch file nor safetensors (it starts with {head[:8]!r}); "
        "give the .pth, .pt, .bin or .safetensors file of the model"
    )


def _first_bytes(path: Path) -> bytes:
    if not path.exists():
        raise CheckpointError(f"checkpoint {path}: there is no such file; check the path")
    if path.is_dir():
        inside = sorted(p.name for p in path.iterdir() if p.suffix in {".pth", ".pt", ".bin", ".safetensors"})
        hint = f"; it holds {', '.join(inside[:_LISTED])}" if inside else ""
        raise CheckpointError(f"checkpoint {path}: a file is needed, this is a folder{hint}")
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError as error:
        raise CheckpointError(f"checkpoint {path}: it could not be read: {error}") from None
    if not head:
        raise CheckpointError(f"checkpoint {path}: the file is empty; copy or download it again")
    return head


def _open_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"checkpoint {path}: its safetensors header and its data do not agree ({error}); "
            "the file is truncated or damaged, copy or download it again"
        ) from None
    return tensors, _json_object(metadata.get("config", "{}"), f"checkpoint {path}: its metadata entry 'config'")


def _open_torch(path: Path, *, mapped: bool) -> tuple[dict[str, Tensor], dict[str, Any]]:
    if mapped:
        _check_archive(path)
    try:
        held = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        raise CheckpointError(_unpickling_message(path, str(error))) from None
    except Exception as error:  # noqa: BLE001 (a damaged file can raise anything; all of it means the same)
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            f"checkpoint {path}: PyTorch cannot read it ({first[:200]}); "
            "the file is truncated, damaged, or no checkpoint: copy or download it again"
        ) from None
    return _state_dict(path, held)


def _check_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        raise CheckpointError(
            f"checkpoint {path}: the archive has no end ({path.stat().st_size} bytes are here); "
            "the file is truncated, copy or download it again"
        ) from None
    if not any(name.endswith("data.pkl") for name in names):
        raise CheckpointError(f"checkpoint {path}: this is a zip archive, but not one that PyTorch wrote")


def _unpickling_message(path: Path, error: str) -> str:
    found = re.search(r"(?:GLOBAL|class|function|Unsupported (?:global|class))[:\s]+([\w.]+\.[\w.]+)", error)
    what = f" (it refers to {found.group(1)})" if found else ""
    return (
        f"checkpoint {path}: it holds more than tensors and plain data{what}; loading it would run code from the file, "
        "so nothing of it was loaded. Save it again with torch.save(model.state_dict(), ...) or as safetensors"
    )


def _state_dict(path: Path, held: object) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Find the tensors at the top level of a file, or under the entry that training scripts use."""
    if not isinstance(held, Mapping):
        raise CheckpointError(f"checkpoint {path}: it must hold tensors by name, got a {type(held).__name__}")
    inner = next((held[name] for name in _WRAPPERS if isinstance(held.get(name), Mapping)), held)
    tensors = {str(name): value for name, value in inner.items() if isinstance(value, Tensor)}
    if not tensors:
        entries = ", ".join(map(str, list(held)[:_LISTED])) or "none"
        raise CheckpointError(f"checkpoint {path}: it holds no tensors by name (its entries: {entries})")
    config = held.get("config")
    return tensors, dict(config) if isinstance(config, Mapping) else {}


def _config_next_to(path: Path) -> dict[str, Any]:
    config = path.parent / "config.json"
    if not config.is_file():
        return {}
    return _json_object(config.read_text(encoding="utf-8"), f"config {config}")


def _json_object(text: str, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise CheckpointError(f"{what} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{what} must be a JSON object, got {type(value).__name__}")
    return value


@dataclass(frozen=True)
class KeyReport:
    """Names in a file: those `loaded` into the model, `training_only` ones ignored, `aliases` of loaded ones."""

    loaded: tuple[str, ...] = field(repr=False)
    training_only: tuple[str, ...] = field(default=(), repr=False)
    aliases: tuple[str, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        parts = [f"{len(self.loaded)} tensors loaded"]
        if self.training_only:
            parts.append(f"{len(self.training_only)} of training only, left out")
        if self.aliases:
            parts.append(f"{len(self.aliases)} second names of loaded ones")
        return ", ".join(parts)


@dataclass(frozen=True)
class KeyRules:
    """Names that a family tolerates in addition to those it needs.

    `training_only`: a regular expression over whole names that are not needed for inference. `aliases`: second name ->
    first name of one tensor; either may be absent, and where both are present they must agree.
    """

    training_only: str = r"(?!)"
    aliases: Mapping[str, str] = field(default_factory=dict)


def match_keys(
    file: WeightsFile, expected: Mapping[str, Tensor], rules: KeyRules, *, family: str
) -> tuple[dict[str, Tensor], KeyReport]:
    """Pair a file's tensors with a model's, all or nothing.

    Returns the tensors under the expected names and the report. Raises `CheckpointError` with the first few names and
    their number: missing, unexpected, of a wrong shape, not finite, aliases that differ.
    """
    tensors, aliases = _without_aliases(file, expected, rules)
    left = tuple(n for n in tensors if n not in expected and re.fullmatch(rules.training_only, n))
    missing = [n for n in expected if n not in tensors]
    unexpected = [n for n in tensors if n not in expected and n not in set(left)]
    if missing or unexpected:
        raise CheckpointError(_mismatch_message(file, family, missing, unexpected))
    _check_shapes(file, expected, tensors)
    _check_finite(file, {name: tensors[name] for name in expected})
    report = KeyReport(tuple(expected), left, tuple(aliases))
    return {name: tensors[name] for name in expected}, report


def _without_aliases(
    file: WeightsFile, expected: Mapping[str, Tensor], rules: KeyRules
) -> tuple[dict[str, Tensor], list[str]]:
    tensors = dict(file.tensors)
    aliases = [second for second in rules.aliases if second in tensors and second not in expected]
    for second in aliases:
        first, value = rules.aliases[second], tensors.pop(second)
        if first not in tensors:
            tensors[first] = value
        elif not _same(tensors[first], value):
            raise CheckpointError(
                f"checkpoint {file.path}: {first} and {second} name one tensor, but their values differ; "
                "the file was put together from two models"
            )
    return tensors, aliases


def _same(one: Tensor, other: Tensor) -> bool:
    return one.data_ptr() == other.data_ptr() or torch.equal(one, other)


def _mismatch_message(file: WeightsFile, family: str, missing: list[str], unexpected: list[str]) -> str:
    looks = resembles(file.tensors)
    lines = [f"checkpoint {file.path}: its tensors are not those of {family}; nothing was loaded."]
    if missing:
        lines.append(f"  missing: {_some(missing)}")
    if unexpected:
        lines.append(f"  unexpected: {_some(unexpected)}")
    if looks and looks != family:
        lines.append(f"  It looks like {looks}.")
    return "\n".join(lines)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more ({len(names)} in all)" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _check_shapes(file: WeightsFile, expected: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    wrong = [
        f"{name} (needs {tuple(value.shape)}, got {tuple(tensors[name].shape)})"
        for name, value in expected.items()
        if tensors[name].shape != value.shape
    ]
    if wrong:
        raise CheckpointError(f"checkpoint {file.path}: wrong shapes, nothing was loaded: {_some(wrong)}")


def _check_finite(file: WeightsFile, tensors: Mapping[str, Tensor]) -> None:
    bad = [name for name, value in tensors.items() if not _finite(value)]
    if bad:
        raise CheckpointError(
            f"checkpoint {file.path}: NaN or infinity in {_some(bad)}; nothing was loaded. The training has diverged"
        )


def _finite(value: Tensor) -> bool:
    """Return whether all values are finite; a sum propagates NaN and infinity in a single read of the memory."""
    if not value.is_floating_point():
        return True
    total = value.sum(dtype=torch.float32)
    return bool(total.isfinite()) or bool(value.isfinite().all())
