"""Samples of a run: one caption per image across the data first, read lazily."""

from itertools import count, islice

from hypothesis import given
from hypothesis import strategies as st

from vlaudit.auditing.models import Models
from vlaudit.auditing.options import ModelOptions, Options
from vlaudit.auditing.run import Run
from vlaudit.datasets.across_images import across_images
from vlaudit.samples import Sample
from vlaudit.thresholds import read_thresholds

IMAGES = st.lists(st.sampled_from("abcde"), max_size=20)


def captioned(images):
    return [Sample(f"{image}-{number}", image, None, "a dog") for number, image in enumerate(images)]


def by_rank(samples):
    """Sort by the rank of each caption among those of its image; equal ranks keep their order."""
    ranks = [[other.image_id for other in samples[:i]].count(one.image_id) for i, one in enumerate(samples)]
    return [samples[i] for i in sorted(range(len(samples)), key=ranks.__getitem__)]


@given(IMAGES)
def test_captions_are_sorted_by_rank(images):
    samples = captioned(images)
    assert list(across_images(samples)) == by_rank(samples)


@given(IMAGES, st.integers(0, 25))
def test_a_limit_takes_as_many_images_as_there_are(images, limit):
    taken = list(islice(across_images(captioned(images)), limit))
    assert len({one.image_id for one in taken}) == min(limit, len(set(images)))
    assert len(taken) == min(limit, len(images))


@given(IMAGES.filter(bool), st.data())
def test_no_sample_is_read_before_it_is_needed(images, data):
    read = []
    samples = captioned(images)
    limit = data.draw(st.integers(1, len(set(images))))
    taken = list(islice(across_images(read.append(one) or one for one in samples), limit))
    assert read == samples[: samples.index(taken[-1]) + 1]


def test_endless_data_have_first_samples():
    endless = (Sample(str(number), str(number // 2), None, "a dog") for number in count())
    assert [one.id for one in islice(across_images(endless), 3)] == ["0", "2", "4"]


class Photos:
    """Three captions of each image, grouped by image."""

    name = "coco"
    refusals = ()

    def __iter__(self):
        return iter(captioned("aaabbbccc"))

    def describe(self):
        return "nine captions of three images"


def test_the_limit_of_a_run_counts_images():
    def ids(limit):
        options = Options((ModelOptions("toy-grounded", "toy-grounded"),), limit=limit)
        return [one.id for one in Run(options, Models(options.models), Photos(), read_thresholds()).samples(0)]

    assert ids(2) == ["a-0", "b-3"]
    assert ids(5) == ["a-0", "b-3", "c-6", "a-1", "b-4"]
    assert len(ids(100)) == 9
