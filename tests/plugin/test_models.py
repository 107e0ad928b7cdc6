"""Models are loaded, and held against the data, before anything runs."""

import pytest

from vlaudit.errors import UsageError
from vlaudit.plugin.models import Models
from vlaudit.plugin.options import Asked
from vlaudit.samples import Sample

TOY = Asked("toy-grounded", None, "cpu", "float32", None, download=False)


def saying(*captions):
    return [Sample(f"s{i}", f"i{i}", None, caption) for i, caption in enumerate(captions)]


def test_data_of_which_a_model_can_read_nothing_are_refused_with_the_reason():
    with pytest.raises(
        UsageError,
        match=r"--data mine: --model toy-grounded can read none of the first 2 samples "
        r"\(2 because its caption has no word\)",
    ):
        Models([TOY]).check(saying("...", "?"), "mine")


def test_one_sample_that_can_be_read_is_enough():
    Models([TOY]).check(saying("...", "a dog"), "mine")
