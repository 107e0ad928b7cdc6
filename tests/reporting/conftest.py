"""The made-up run that the reporting tests share (demo.py)."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def demo():
    spec = importlib.util.spec_from_file_location("reporting_demo", Path(__file__).with_name("demo.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
