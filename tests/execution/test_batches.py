"""Batches: the size grows until a batch is long, and an order lets an image be encoded once."""

import gc
from collections import OrderedDict

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from vlaudit.errors import UsageError
from vlaudit.execution.batches import FIRST, IMAGES_PER_GROUP, LARGEST, LONG_ENOUGH, BatchSize, in_order
from vlaudit.execution.paused_gc import paused_gc
from vlaudit.execution.plan import PlannedPass
from vlaudit.models.base import ForwardRequest
from vlaudit.samples import Image, Sample
from vlaudit.traces import Attention, Match

SHORT, LONG = LONG_ENOUGH / 2, 2 * LONG_ENOUGH


def sizes_after(size, seconds):
    seen = []
    for one in seconds:
        seen.append(size.now)
        size.ran(one)
    return [*seen, size.now]


@pytest.mark.parametrize("size", [0, -3])
def test_a_batch_size_below_one_is_refused(size):
    with pytest.raises(UsageError, match=f"at least 1, got {size}"):
        BatchSize(size)


def test_the_size_doubles_after_short_batches_up_to_the_largest():
    assert sizes_after(BatchSize(), [SHORT] * 6) == [8, 16, 32, 64, 128, 128, 128]


def test_the_size_stays_after_a_long_batch():
    assert sizes_after(BatchSize(), [SHORT, LONG, LONG]) == [8, 16, 16, 16]


@given(st.lists(st.floats(0.001, 10), max_size=12))
def test_a_stalled_batch_delays_growth_and_never_shrinks_the_size(seconds):
    size = BatchSize()
    seen = sizes_after(size, seconds)
    assert seen == sorted(seen)
    assert sizes_after(size, [SHORT] * 5)[-1] == LARGEST


def test_a_size_of_the_users_stays():
    assert sizes_after(BatchSize(3), [SHORT, LONG, SHORT]) == [3, 3, 3, 3]


def test_after_out_of_memory_the_size_never_grows_again():
    size = BatchSize()
    sizes_after(size, [SHORT, SHORT])
    size.too_large()
    assert sizes_after(size, [SHORT, SHORT]) == [16, 16, 16]


def planned(image, caption, *readings, variant=0):
    picture = Image(f"{variant}-{image}", 2, 2, np.zeros) if image is not None else None
    sample = Sample(f"{image}-{caption}", f"i{image}", picture, caption)
    return PlannedPass(ForwardRequest(sample, frozenset(readings or {Match()})), ())


def encodings(ordered, remembered):
    """Count the image encodings of an adapter that caches this many."""
    kept, count = OrderedDict(), 0
    for one in ordered:
        key = one.request.sample.image.key
        count += key not in kept
        kept[key] = True
        kept.move_to_end(key)
        while len(kept) > remembered:
            kept.popitem(last=False)
    return count


CAPTIONS = ("a dog", "a dog that runs", "a dog that runs on the beach", "a dog that runs on the beach with a ball")


def test_each_image_is_encoded_once():
    images = 3 * IMAGES_PER_GROUP + 5
    inputs = [planned(i, caption, variant=v) for caption in CAPTIONS for v in range(2) for i in range(images)]
    assert encodings(inputs, IMAGES_PER_GROUP) == len(inputs)
    assert encodings(in_order(inputs), IMAGES_PER_GROUP) == 2 * images


def test_captions_of_a_group_run_by_length():
    ordered = in_order([planned(i, caption) for i in range(IMAGES_PER_GROUP) for caption in CAPTIONS])
    lengths = [len(one.request.sample.caption) for one in ordered]
    assert lengths == sorted(lengths, reverse=True)


def test_inputs_with_most_readings_come_first():
    inputs = [planned(i, "a dog", *(r for r in (Match(), Attention("text", "image"))[: 1 + i % 2])) for i in range(10)]
    heavy = [len(one.request.readings) for one in in_order(inputs)]
    assert heavy == sorted(heavy, reverse=True)


@given(st.lists(st.tuples(st.sampled_from([None, *range(5)]), st.sampled_from(CAPTIONS)), unique=True))
def test_every_input_runs_once_in_an_order_of_its_own(pairs):
    inputs = [planned(*pair) for pair in pairs]
    assert in_order(inputs) == in_order(inputs[::-1])
    assert sorted(map(id, in_order(inputs))) == sorted(map(id, inputs))


def test_the_first_batch_is_small():
    assert BatchSize().now == FIRST < LARGEST


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_paused_and_restored(enabled):
    was = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        assert paused_and_failing() is False
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if was else gc.disable)()


def paused_and_failing():
    try:
        with paused_gc():
            inside = gc.isenabled()
            raise RuntimeError  # noqa: TRY301 (what is inside may fail)
    except RuntimeError:
        return inside
