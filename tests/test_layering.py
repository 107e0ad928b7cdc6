"""Packages import only from layers above their own (see CONTRIBUTING.md)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SIBLINGS = ("datasets", "perturbations", "models", "measures", "statistics", "probes")
# Lowest layer first; packages of one layer do not import each other, unless they are all single modules.
LAYERS = (
    ("errors", "seeds", "toml_files", "openmp"),
    ("samples", "traces", "tables"),
    SIBLINGS,
    ("selection",),
    ("findings",),
    ("deciding", "known_failures", "thresholds"),
    ("execution",),
    ("reporting",),
    ("authoring",),
    ("auditing",),
    ("plugin",),
)
LEVEL = {package: level for level, layer in enumerate(LAYERS) for package in layer}
EDGE = {"__init__", "__main__"}  # entry points may import every package


def modules():
    return sorted((ROOT / "vlaudit").rglob("*.py"))


def package_of(path):
    return path.relative_to(ROOT / "vlaudit").parts[0].removesuffix(".py")


def imported(path):
    """Yield every module that a file imports, at the top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the package"
            yield node.module
            if node.module == "vlaudit":
                yield from (f"vlaudit.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_imports_only_packages_above(path):
    package = package_of(path)
    for name in imported(path):
        parts = name.split(".")
        if parts[0] != "vlaudit" or len(parts) == 1 or package in EDGE:
            continue
        other = parts[1]
        assert package in LEVEL, f"{package} is in no layer: add it to LAYERS"
        assert other in LEVEL, f"{path} imports {name}, which is in no layer"
        sibling = package in SIBLINGS and other in SIBLINGS and package != other
        assert LEVEL[other] <= LEVEL[package], f"{package} must not import {other}, which is in a higher layer"
        assert not sibling, f"{package} must not import its sibling {other}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_plugin_imports_pytest(path):
    if package_of(path) != "plugin":
        assert not [name for name in imported(path) if name.split(".")[0] in {"pytest", "_pytest"}]


def test_the_product_never_imports_its_surroundings():
    """Code that ships must not need the tests, the benchmarks, or the audits."""
    for path in modules():
        assert not {name.split(".")[0] for name in imported(path)} & {"tests", "benchmarks", "audits", "fixtures"}, path


def test_importing_vlaudit_does_no_work():
    """Reading a command line must not wait for torch."""
    import subprocess
    import sys

    slow = ("torch", "transformers", "numpy")
    code = f"import sys, vlaudit, vlaudit.plugin; print([m for m in {slow} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
