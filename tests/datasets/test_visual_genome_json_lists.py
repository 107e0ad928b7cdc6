"""Streaming of JSON lists, and access by image id."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vlaudit.datasets.visual_genome import json_lists
from vlaudit.datasets.visual_genome.json_lists import ImageList, elements
from vlaudit.errors import DataError

VALUE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**6), 10**6), st.text(max_size=8)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def write(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "list.json"
    path.write_bytes(text.encode(encoding))
    return path


STYLE = st.fixed_dictionaries({"indent": st.sampled_from([None, 2]), "ensure_ascii": st.booleans()})


@given(st.lists(VALUE, max_size=6), st.integers(1, 9), STYLE, st.sampled_from(["utf-8", "utf-8-sig"]))
def test_elements_do_not_depend_on_the_chunk_size(tmp_path_factory, listed, chunk, style, encoding):
    path = write(tmp_path_factory.mktemp("json"), json.dumps(listed, **style), encoding)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_lists, "_CHUNK", chunk)
        found = list(elements(path))
    assert [one.value for one in found] == listed
    assert [one.number for one in found] == list(range(len(listed)))
    content = path.read_bytes()
    assert [json.loads(content[one.start : one.start + one.length]) for one in found] == listed


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "byte 0: must contain a JSON list of images"),
        ('{"a": 1}', "byte 0: must contain a JSON list of images"),
        ('[{"a": 1}, {"a"', "byte 11: must be valid JSON: Expecting ':' delimiter"),
        ('[{"a": 1}', "byte 9: the list must end with a bracket, got the end of the file after 1 images"),
        ('[{"a": 1} {"a": 2}]', "byte 10: images must be separated by commas, got '{'"),
        ("[{a: 1}]", "byte 1: must be valid JSON: Expecting property name"),
        ("[" * 100_000, "must be valid JSON"),
        ("[1, ]", "must be valid JSON: Expecting value"),
    ],
)
def test_an_invalid_list_is_an_error_with_its_byte(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        list(elements(write(tmp_path, text)))


def test_another_encoding_is_an_error(tmp_path):
    with pytest.raises(DataError, match="must be UTF-8"):
        list(elements(write(tmp_path, "[1]", "utf-16")))
    with pytest.raises(DataError, match="must be UTF-8"):
        list(elements(write(tmp_path, '["\xe4"]', "latin-1")))


def test_the_length_of_an_element_is_limited(tmp_path, monkeypatch):
    monkeypatch.setattr(json_lists, "MAX_LENGTH", 1000)
    monkeypatch.setattr(json_lists, "_CHUNK", 100)
    with pytest.raises(DataError, match="byte 1: an element must have at most 1000 characters"):
        list(elements(write(tmp_path, '["' + "a" * 5000)))


def test_images_are_found_in_any_order_and_repeatedly(tmp_path):
    """The first record of an id is returned; ids may be numbers or strings."""
    listed = [
        {"image_id": 3, "n": "ä"},
        {"image_id": "4", "n": 1},
        {"n": 2},
        None,
        {"image_id": 3, "n": 3},
        {"image_id": 5},
    ]
    images = ImageList(write(tmp_path, json.dumps(listed, ensure_ascii=False)), [])
    assert images.get("4") == listed[1]
    assert images.get("3") == listed[0]
    assert images.get("9") is None
    assert images.get("5") == listed[5]
    assert images.get("4") == listed[1]


def test_memory_does_not_depend_on_the_file_size(tmp_path, monkeypatch):
    monkeypatch.setattr(json_lists, "_CHUNK", 1 << 14)
    image = {"image_id": 0, "objects": [{"name": "tree", "x": i} for i in range(50)]}
    path = write(tmp_path, json.dumps([{**image, "image_id": i} for i in range(1500)]))
    images = ImageList(path, [])
    tracemalloc.start()
    try:
        assert sum(images.get(str(i))["image_id"] for i in range(1500)) == sum(range(1500))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < path.stat().st_size / 4
