"""Golden cases and a small random network for the tests of ALBEF."""

import json
from functools import cache

import pytest
import torch
from parity.albef import load_case
from parity.cases import GOLDENS, Case

from vlaudit.models.albef.config import AlbefConfig, TextConfig, VisionConfig
from vlaudit.models.albef.network import Albef

CASES = {name: Case(GOLDENS / "albef" / name) for name in ("tiny_even", "tiny_uneven")}


@pytest.fixture(scope="session")
def layouts():
    """Return the tensors of the full-size official models: layout -> key -> [shape, dtype]."""
    published = json.loads((GOLDENS / "albef" / "published_layout.json").read_text(encoding="utf-8"))
    return {"pretraining": published["pretrain_state_dict"], "retrieval": published["retrieval_state_dict"]}


@pytest.fixture(params=sorted(CASES))
def case(request):
    """Run with each committed golden case."""
    return CASES[request.param]


@pytest.fixture
def tiny_even():
    """Return the case with small activations, where the epsilon of most norms shows."""
    return CASES["tiny_even"]


@pytest.fixture
def network(case):
    """Return our network with the case's weights."""
    return load_case(case, "cpu")


@cache
def _random_network():
    torch.manual_seed(0)
    config = AlbefConfig(
        VisionConfig(16, 8, width=12, depth=2, heads=3),
        TextConfig(40, 16, layers=5, heads=2, intermediate=20, fusion_layer=3, encoder_width=12, max_positions=12),
        projection=6,
        queue_size=4,
    )
    network = Albef(config, momentum=True, queues=True).eval().requires_grad_(requires_grad=False)
    network.initialise(std=0.3)
    return network


@pytest.fixture(scope="session")
def small():
    """Return a random network of uneven sizes: 2 + 5 layers, fused from layer 3."""
    return _random_network()
