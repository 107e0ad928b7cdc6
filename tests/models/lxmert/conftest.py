"""The golden case and a small random network for the tests of LXMERT."""

from functools import cache

import pytest
import torch
from parity.cases import GOLDENS, Case
from parity.regional import load_network, random_inputs

from vlaudit.models.lxmert.config import LxmertConfig
from vlaudit.models.lxmert.network import Lxmert

CONFIG = LxmertConfig(
    60,
    24,
    language_layers=3,
    relation_layers=1,
    cross_layers=2,
    heads=3,
    intermediate=40,
    region_width=10,
    classes=7,
    attributes=5,
    answers=6,
    max_positions=15,
)


@pytest.fixture
def case():
    """Inputs and outputs of the official code."""
    return Case(GOLDENS / "lxmert" / "case_a")


@pytest.fixture
def network(case):
    """Our network with the case's weights, fresh, so that a test may spoil it."""
    return load_network(case, "cpu")


@cache
def made(config=CONFIG):
    """Return a random network."""
    torch.manual_seed(0)
    network = Lxmert(config).eval().requires_grad_(requires_grad=False)
    network.initialise(std=0.3)
    return network


@pytest.fixture
def small():
    """A random network of uneven sizes, not to be changed."""
    return made()


@pytest.fixture
def make():
    """Return a random network of the sizes that are requested."""
    return made


@pytest.fixture
def batch(small):
    """Three captions and their regions, each of another length."""
    torch.manual_seed(1)
    return random_inputs(small)
