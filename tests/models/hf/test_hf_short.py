"""A class of transformers is written in at most 45 lines, imports and docstrings included."""

from pathlib import Path

import pytest

import vlaudit.models.hf
from vlaudit.models.hf.blip import BLIP
from vlaudit.models.hf.vilt import VILT_RANKING, VILT_WORDS

FOLDER = Path(vlaudit.models.hf.__file__).parent


@pytest.mark.parametrize(
    "module, kinds", [("vilt.py", (VILT_WORDS, VILT_RANKING)), ("blip.py", (BLIP,))], ids=["vilt", "blip"]
)
def test_a_class_takes_45_lines_at_most(module, kinds):
    classes = {kind.model_class for kind in kinds}
    lines = (FOLDER / module).read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 45 * len(classes)
    assert max(map(len, lines)) <= 120
