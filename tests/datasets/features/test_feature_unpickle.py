"""Pickles of plain data are read; every other reference in a pickle is refused and not executed."""

import collections
import contextlib
import os
import pickle
import pickletools

import numpy as np
import pytest
from feature_files import detections, fields, line, write_lmdb
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from vlaudit.datasets.features import open_features
from vlaudit.datasets.features.records import BadRecord, positive_int
from vlaudit.datasets.features.unpickle import UnsafePickle, load_plain, plain_array, plain_dtype, preview
from vlaudit.errors import DataError

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=9)
    | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
NUMBERS = st.one_of(
    st_numpy.floating_dtypes(sizes=(16, 32, 64), endianness="?"),
    st_numpy.integer_dtypes(endianness="?"),
    st_numpy.unsigned_integer_dtypes(endianness="?"),
    st_numpy.boolean_dtypes(),
)
PROTOCOLS = st.integers(0, pickle.HIGHEST_PROTOCOL)


@settings(max_examples=60)
@given(PLAIN, PROTOCOLS)
def test_plain_values_come_back_as_they_were(value, protocol):
    assert load_plain(pickle.dumps(value, protocol)) == value


@settings(max_examples=60)
@given(st_numpy.arrays(NUMBERS, st_numpy.array_shapes(min_dims=0, min_side=0, max_side=4)), PROTOCOLS, st.booleans())
def test_arrays_come_back_to_the_bit(array, protocol, fortran):
    array = np.asfortranarray(array) if fortran else array
    held = load_plain(pickle.dumps({"one": array, "two": [array]}, protocol))
    for copy in (held["one"], held["two"][0]):
        assert copy.dtype == array.dtype
        assert copy.shape == array.shape
        assert copy.tobytes() == array.tobytes()


@pytest.mark.parametrize("number", [np.float32(1.5), np.int64(-3), np.float16(0.25), np.uint8(7)])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_numpy_scalars_become_numbers(number, protocol):
    assert load_plain(pickle.dumps(number, protocol)) == number


def test_old_and_new_names_of_numpy_are_known():
    for name in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
        written = pickle.dumps(np.arange(3), 2)
        module = b"numpy._core.multiarray" if b"numpy._core.multiarray" in written else b"numpy.core.multiarray"
        np.testing.assert_array_equal(load_plain(written.replace(module, name)), np.arange(3))


class Runs:
    """A malicious object: unpickling it with `pickle` creates a folder."""

    def __init__(self, path, function=os.mkdir):
        self.path, self.function = path, function

    def __reduce__(self):
        return self.function, (str(self.path),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_call_in_a_pickle_is_refused_by_name_and_does_not_run(tmp_path, protocol):
    made = tmp_path / "made"
    attack = pickle.dumps({"features": Runs(made)}, protocol)
    with pytest.raises(
        UnsafePickle, match=r"only plain data are allowed, got a reference to (posix|nt)\.mkdir; nothing was executed"
    ):
        load_plain(attack)
    assert not made.exists()
    pickle.loads(attack)  # noqa: S301 - what it does is the point
    assert made.is_dir(), "the attack works without protection"


def test_a_shell_command_in_an_lmdb_does_not_run(tmp_path):
    made, good = tmp_path / "made", detections("good")
    attack = pickle.dumps(Runs(f"mkdir {made}", os.system))
    records = {"good": pickle.dumps(fields(good)), "bad": attack, "keys": pickle.dumps([b"good", b"bad"])}
    features = open_features(write_lmdb(tmp_path / "a.lmdb", records))
    assert [found.image_id for found in features] == ["good"]
    assert not made.exists()
    assert ".system; nothing was executed" in features.refusals[0].reason
    pickle.loads(attack)  # noqa: S301 - what it does is the point
    assert made.is_dir(), "the attack works without protection"


@pytest.mark.parametrize(
    "value",
    [np.array([{}, []], object), np.zeros(2, [("a", "f4")]), np.array(["text"]), np.array(["2020"], "M8[Y]"), 1 + 2j],
    ids=["objects", "records", "text", "dates", "complex"],
)
def test_arrays_of_anything_but_numbers_are_refused(value):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(UnsafePickle, match=r"must be numeric|only plain data|shape"):
            load_plain(pickle.dumps(value, protocol))


@pytest.mark.parametrize("value", [collections.OrderedDict(a=1), range(3), {"f": print}, np.dtype("f4"), np.ndarray])
def test_other_objects_are_refused(value):
    with pytest.raises(UnsafePickle, match="only plain data are allowed"):
        load_plain(pickle.dumps(value))


FORGED = {
    "a state for what is named": b"cnumpy\nndarray\n}X\x01\x00\x00\x00aK\x01sb.",
    "attributes for what is named": b"cnumpy\nndarray\nN}X\x09\x00\x00\x00_functionK\x01s\x86b.",
    "an array without content": b"cnumpy.core.multiarray\n_reconstruct\n(tR.",
    "a state that is no tuple": b"cnumpy.core.multiarray\n_reconstruct\n(tRK\x01b.",
    "a class made anew": b"cnumpy\nndarray\n)\x81.",
    "an encoding that decompresses": b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x03\x00\x00\x00zlitR.",
    "a shape below zero": b"cnumpy.core.multiarray\n_reconstruct\n(tR(K\x01(J\xff\xff\xff\xfft"
    b"cnumpy\ndtype\n(X\x02\x00\x00\x00f4tRI00\nX\x00\x00\x00\x00tb.",
    "a memo that was never filled": b"h\x07.",
    "a memory of a thousand million values": b"Nr\xff\xff\xff\x3f.",
    "the same in digits": b"Np999999999\n.",
    "more bytes than there are": b"\x96\xff\xff\xff\xff\xff\x00\x00\x00ab.",
    "a persistent id": b"X\x01\x00\x00\x00aQ.",
    "an extension code": b"\x82\x01.",
    "an attribute of what is admitted": b"\x80\x04\x8c\x05numpy\x8c\x0cndarray.tofi\x93.",
    "nothing": b"",
    "half a pickle": pickle.dumps(fields(detections()))[:-50],
    "no pickle": line(detections()),
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
def test_forged_pickles_are_refused(forged):
    with pytest.raises(UnsafePickle):
        load_plain(forged)
    assert np.array_equal(load_plain(pickle.dumps(np.arange(2))), np.arange(2)), "and change nothing for the next one"


def test_parts_that_name_each_other_cost_no_more_than_their_number():
    """Forty lists, each of the one before twice: written out they would be a million million."""
    value = [1]
    for _ in range(40):
        value = [value, value]
    written = pickle.dumps(value, 2)
    assert len(list(pickletools.genops(written))) < 1000
    held = load_plain(written)
    for _ in range(40):
        assert held[0] is held[1]
        held = held[0]


def test_a_message_about_such_parts_does_not_write_them_out(tmp_path):
    """Wherever a message shows what came: as a list of keys, a shape, a type, or a number of a record."""
    value = ["x"]
    for _ in range(60):
        value = [value, value]
    assert len(preview(value)) <= 60
    with pytest.raises(DataError, match="must be a list of image ids, got "):
        open_features(write_lmdb(tmp_path / "volta", {"keys": pickle.dumps(value)}))
    with pytest.raises(BadRecord, match="img_w must be an integer, got "):
        positive_int({"img_w": load_plain(pickle.dumps(value))}, "img_w")
    with pytest.raises(UnsafePickle, match="the shape of an array must be non-negative integers, got "):
        plain_array(b"", np.dtype("f4"), value)
    with pytest.raises(UnsafePickle, match="arrays must be numeric, got type "):
        plain_dtype(value)


def test_a_list_that_holds_itself_is_refused():
    value = []
    value.append(value)
    with pytest.raises(UnsafePickle):
        load_plain(pickle.dumps(value))


@settings(max_examples=150)
@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_read_or_be_refused(data):
    with contextlib.suppress(UnsafePickle):
        load_plain(data)


@settings(max_examples=150)
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=3))
def test_a_changed_byte_reads_or_is_refused(place, bytes_there):
    written = pickle.dumps({"boxes": np.arange(4, dtype=np.float32), "img_h": 3})
    place %= len(written)
    with contextlib.suppress(UnsafePickle):
        load_plain(written[:place] + bytes_there + written[place + len(bytes_there) :])
