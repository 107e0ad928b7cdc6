"""A parity case: a folder of official inputs and outputs, with the checkpoint that computed them."""

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file

GOLDENS = Path(__file__).parents[2] / "goldens"


@dataclass(frozen=True)
class Case:
    """One folder with checkpoint.pth, config.json, inputs.safetensors and outputs.safetensors."""

    folder: Path

    @property
    def family(self):
        """The name of the folder above."""
        return self.folder.parent.name

    @property
    def checkpoint(self):
        """The weights that made the outputs, in the official layout."""
        return self.folder / "checkpoint.pth"

    @cached_property
    def config(self):
        """The sizes of the model."""
        return json.loads((self.folder / "config.json").read_text(encoding="utf-8"))

    @cached_property
    def inputs(self):
        """Inputs of the official code, by name."""
        return load_file(self.folder / "inputs.safetensors")

    @cached_property
    def expected(self):
        """Outputs of the official code, by name."""
        return load_file(self.folder / "outputs.safetensors")

    @cached_property
    def names(self):
        """Names of the official outputs, read without the tensors; empty where the file cannot be read."""
        try:
            with safe_open(self.folder / "outputs.safetensors", framework="pt") as file:
                return tuple(sorted(file.keys()))
        except Exception:  # noqa: BLE001 - collection must go on; the case then fails in its one test
            return ()


def goldens_folder(config):
    """Return the folder of --goldens, relative to the folder in which pytest was called."""
    given = config.getoption("--goldens")
    return GOLDENS if given is None else config.invocation_params.dir / given


def find_cases(folder):
    """Return the cases at or below a folder, in the order of their absolute paths."""
    root = os.path.abspath(folder)  # noqa: PTH100 - unlike resolve, this keeps the names that the caller sees
    found = (Path(where) for where, _, files in os.walk(root, followlinks=True) if "checkpoint.pth" in files)
    return [Case(where) for where in sorted(found)]
