"""The golden networks of the five controlled models, and random batches for them."""

import json
from functools import cache

import torch
from hypothesis import strategies as st
from parity.cases import GOLDENS, Case
from parity.regional import load_network

from vlaudit.models.streams.contract import Inputs
from vlaudit.models.volta.config import PUBLISHED, VoltaConfig

SINGLE = ("ctrl_uniter", "ctrl_visualbert", "ctrl_vl-bert")
DUAL = ("ctrl_lxmert", "ctrl_vilbert")
CASES = {name: Case(GOLDENS / name / "case_a") for name in PUBLISHED}
SHAPES = st.lists(st.tuples(st.integers(2, 10), st.integers(1, 7)), min_size=1, max_size=3)
"""Length of the caption and number of regions of each row."""


@cache
def network_of(name):
    """Return the network with the weights of a case; tests must not change it."""
    return load_network(CASES[name], "cpu")


def published(name):
    """Return the record of the published file."""
    return json.loads((GOLDENS / name / "published_layout.json").read_text(encoding="utf-8"))


def golden_config(name):
    return VoltaConfig.from_json(CASES[name].config)


def random_batch(shapes, seed, extra=(0, 0)):
    """Draw a batch of rows of these shapes, padded to the longest row and `extra` tokens and regions further."""
    generator = torch.Generator().manual_seed(seed)
    length, regions = (max(shape[i] for shape in shapes) + extra[i] for i in (0, 1))
    mask = torch.tensor([[int(j < words) for j in range(length)] for words, _ in shapes])
    present = torch.tensor([[int(j < held) for j in range(regions)] for _, held in shapes])
    ids = torch.randint(1, 500, mask.shape, generator=generator) * mask
    features = torch.rand(*present.shape, 32, generator=generator)
    features[:, 1::3] = 0.0  # masked regions: zero, and present
    corners = torch.rand(*present.shape, 2, 2, generator=generator).sort(dim=2).values.flatten(2)
    return Inputs(ids, mask, features * present[..., None], corners * present[..., None], present)
