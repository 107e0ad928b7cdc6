import subprocess
import sys

import pytest
import torch

from vlaudit.models.precision import exact_float32, find_device


def test_the_process_gets_its_own_settings_back():
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = True
    try:
        with exact_float32():
            assert torch.backends.cudnn.allow_tf32 is False
            assert torch.backends.cuda.matmul.allow_tf32 is False
        assert torch.backends.cudnn.allow_tf32 is True
    finally:
        torch.backends.cudnn.allow_tf32 = before


@pytest.mark.skipif(not hasattr(torch.backends, "fp32_precision"), reason="this torch has only the old setting")
def test_a_process_that_uses_the_new_setting_keeps_it():
    code = """
import torch
from vlaudit.models.precision import exact_float32
torch.backends.cuda.matmul.fp32_precision = "tf32"
torch.backends.cudnn.fp32_precision = "tf32"
with exact_float32():
    print(torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.fp32_precision)
print(torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.fp32_precision)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["ieee", "ieee", "tf32", "tf32"]


def test_auto_is_the_gpu_where_there_is_one(monkeypatch):
    for there, expected in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr("torch.cuda.is_available", lambda there=there: there)
        assert find_device("auto").type == expected
