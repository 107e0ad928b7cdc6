"""Our code reproduces every tensor of the official code.

`pytest tests/models/test_parity.py --goldens DIR` compares every case at or below DIR: a folder with a
`checkpoint.pth`, whose family is the name of the folder above it. A tensor or a family without a computation
here fails. A new family takes one module in `parity/` and one line in FAMILIES.
"""

from functools import cache

import parity.albef
import parity.lxmert
import parity.uniter
import parity.volta
import pytest
import torch
from parity.cases import Case, find_cases, goldens_folder

from vlaudit.models.precision import exact_float32

FAMILIES = {
    "albef": parity.albef.outputs,
    "lxmert": parity.lxmert.outputs,
    "uniter": parity.uniter.outputs,
    "ctrl_lxmert": parity.volta.outputs,
    "ctrl_uniter": parity.volta.outputs,
    "ctrl_vilbert": parity.volta.outputs,
    "ctrl_visualbert": parity.volta.outputs,
    "ctrl_vl-bert": parity.volta.outputs,
}

# ALBEF on the CPU: seven times what float32 differs from float64 by in its official code (README of its goldens).
# Region models: as REGION_MODELS.md suggests. A GPU sums in another order and has its own exp and erf. All tolerances
# are smaller than the effects of the mistakes named there.
ALBEF_ON_CPU, ELSEWHERE = 2e-5, 1e-4


def tolerance(family, device):
    """Return the largest allowed difference of an output from the official one."""
    return ALBEF_ON_CPU if (family, device) == ("albef", "cpu") else ELSEWHERE


def pytest_generate_tests(metafunc):
    if "tensor" not in metafunc.fixturenames:
        return
    cases = find_cases(goldens_folder(metafunc.config))
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    metafunc.parametrize(
        ("case", "tensor", "device"),
        [
            pytest.param(case, name, device, id=_test_id(case, name, device))
            for case in cases
            for device in devices
            for name in case.names or ["outputs.safetensors"]
        ],
    )


def _test_id(case, name, device):
    return f"{case.family}/{case.folder.name}/{name}" + ("" if device == "cpu" else f"@{device}")


@cache
def computed(case, device):
    """Return our outputs for a case, on the CPU; computed once for all of its tests."""
    with torch.no_grad(), exact_float32():
        found = FAMILIES[case.family](case, torch.device(device))
    return {name: tensor.cpu() for name, tensor in found.items()}


def test_official_output_is_reproduced(case: Case, tensor, device, record_property):
    """The tensor has the official shape and type, and is within the tolerance everywhere."""
    row = {"family": case.family, "case": str(case.folder), "device": device, "difference": None}
    row["tolerance"] = tolerance(case.family, device)
    record_property("parity", row)  # by reference: the difference is added below, when it is known
    assert case.family in FAMILIES, f"no computation for family {case.family!r}, only for {sorted(FAMILIES)}"
    assert case.names, f"{case.folder} has no readable outputs.safetensors with tensors in it"
    ours = computed(case, device)
    assert tensor in ours, f"no computation for {tensor!r} of family {case.family!r}"
    expected = case.expected[tensor]
    assert (ours[tensor].shape, ours[tensor].dtype) == (expected.shape, expected.dtype)
    difference = (ours[tensor].double() - expected.double()).abs().max().item()
    row["difference"] = difference
    assert difference <= row["tolerance"]  # NaN is not


def test_there_are_cases(request):
    """A folder without a case is no parity."""
    assert find_cases(goldens_folder(request.config))
