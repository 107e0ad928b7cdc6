"""Models are loaded, and checked on the data, before anything runs."""

from dataclasses import replace

import pytest

from vlaudit.auditing.models import Models
from vlaudit.auditing.options import ModelOptions
from vlaudit.datasets.photos import absent_image
from vlaudit.errors import UsageError
from vlaudit.samples import Sample

TOY = ModelOptions("toy-grounded", "toy-grounded")


def saying(*captions):
    return [Sample(f"s{i}", f"i{i}", None, caption) for i, caption in enumerate(captions)]


def test_data_that_a_model_cannot_read_are_an_error_with_the_reason():
    with pytest.raises(
        UsageError,
        match=r"--data mine: --model toy-grounded can read none of the first 2 samples "
        r"\(2 because its caption has no word\)",
    ):
        Models([TOY]).check(saying("...", "?"), "mine")


def test_a_model_of_patches_is_not_started_on_missing_photos():
    """Data with features but no photos can be read by models of regions only."""
    absent = absent_image("photo", 40, 30)
    samples = [replace(sample, image=absent) for sample in saying("a dog", "a cat")]
    albef = ModelOptions("albef", "albef")
    refused = r"--model albef can read none of the first 2 samples \(2 because .*the photo is missing"
    with pytest.raises(UsageError, match=refused):
        Models([albef]).check(samples, "mine")


def test_one_sample_that_can_be_read_is_enough():
    Models([TOY]).check(saying("...", "a dog"), "mine")
