"""The golden case and a small random network for the tests of UNITER."""

from functools import cache

import pytest
import torch
from parity.cases import GOLDENS, Case
from parity.regional import load_network, random_inputs

from vlaudit.models.uniter.config import UniterConfig
from vlaudit.models.uniter.network import Uniter

CONFIG = UniterConfig(60, 24, layers=3, heads=3, intermediate=40, region_width=10, classes=7, max_positions=20)


@pytest.fixture
def case():
    """Inputs and outputs of the official code."""
    return Case(GOLDENS / "uniter" / "case_a")


@pytest.fixture
def network(case):
    """Our network with the case's weights, fresh, so that a test may spoil it."""
    return load_network(case, "cpu")


@cache
def _random_network():
    torch.manual_seed(0)
    network = Uniter(CONFIG).eval().requires_grad_(requires_grad=False)
    network.initialise(std=0.3)
    return network


@pytest.fixture
def small():
    """A random network of uneven sizes, not to be changed."""
    return _random_network()


@pytest.fixture
def batch(small):
    """Three captions and their regions, each of another length."""
    torch.manual_seed(1)
    return random_inputs(small)
