"""Parsing of single sentences and annotations of Flickr30k Entities."""

import pytest
from annotated_folders import annotation, boxed, unboxed
from hypothesis import given
from hypothesis import strategies as st

from vlaudit.datasets.flickr30k.annotations import MAX_BYTES, read_annotation
from vlaudit.datasets.flickr30k.sentences import Malformed, parse
from vlaudit.samples import PHRASE_TYPES, Box

WORD = st.text("abcXYZ0189#&'-,.", min_size=1, max_size=6)
WORDS = st.lists(WORD, min_size=1, max_size=4)
PART = st.one_of(
    WORDS, st.tuples(st.integers(1, 999).map(str), st.lists(st.sampled_from(PHRASE_TYPES), min_size=1), WORDS)
)


@given(st.lists(PART, min_size=1, max_size=5))
def test_parsing_inverts_writing(parts):
    line, words, expected = [], ["one"], []
    line.append("one")
    for part in parts:
        if isinstance(part, tuple):
            chain, types, inside = part
            line.append(f"[/EN#{chain}/{'/'.join(types)} {' '.join(inside)}]")
            expected.append((chain, types[0], " ".join(inside)))
            words += inside
        else:
            line += part
            words += part
    found = parse(" ".join(line))
    assert found.text == " ".join(words)
    assert [(one.id, one.type, found.text[one.start : one.end]) for one in found.phrases] == expected


@pytest.mark.parametrize(
    "line, reason",
    [
        ("", "the caption contains no word: ''"),
        (" . ", "the caption contains no word"),
        ("[/EN#1/people A man", "unmatched bracket"),
        ("A man]", "unmatched bracket"),
        ("[/EN#1/people A [/EN#2/other ball] man]", "unmatched bracket"),
        ("[EN#1/people A man]", "unmatched bracket"),
        ("[/EN#1 A man]", "unmatched bracket"),
        ("[/EN#1/people ] runs", r"the phrase '\[/EN#1/people \]' has no words"),
        ("[/EN#1/persons A man] runs", "has the type 'persons'; valid types are animals, "),
    ],
)
def test_an_invalid_line_is_refused(line, reason):
    with pytest.raises(Malformed, match=reason):
        parse(line)


def write(tmp_path, xml):
    path = tmp_path / "36.xml"
    path.write_bytes(xml if isinstance(xml, bytes) else xml.encode())
    return path


def read(tmp_path, *objects):
    return read_annotation(write(tmp_path, annotation("36", objects)))


def test_flags_mark_a_chain_without_box(tmp_path):
    found = read(
        tmp_path, unboxed(1, scene=1, nobndbox=0), unboxed("b", 3), unboxed(4, scene=1), boxed((2, 3, 4, 5), 1)
    )
    assert found.unboxed == ("1", "b", "3", "4")
    assert found.boxes == ((Box(1, 2, 4, 5), ("1",)),)
    assert (found.width, found.height, found.faults) == (40, 30, ())


@given(st.integers(1, 40), st.integers(1, 30), st.integers(0, 39), st.integers(0, 29))
def test_a_box_contains_the_pixels_from_corner_to_corner(tmp_path_factory, xmin, ymin, right, down):
    xmax, ymax = min(xmin + right, 40), min(ymin + down, 30)
    ((box, _),) = read(tmp_path_factory.mktemp("xml"), boxed((xmin, ymin, xmax, ymax), 1)).boxes
    assert (box.width, box.height) == (xmax - xmin + 1, ymax - ymin + 1)
    assert (box.left, box.top) == (xmin - 1, ymin - 1)
    assert box.inside(40, 30)


def test_a_box_beyond_the_image_is_clipped(tmp_path):
    assert read(tmp_path, boxed((0, -3, 45, 31), 1)).boxes == ((Box(0, 0, 40, 30), ("1",)),)


@pytest.mark.parametrize(
    "object_, reason",
    [
        ("<object></object>", "missing <name>"),
        ("<object><name> </name></object>", "missing <name>"),
        ("<object><name>1</name></object>", "must have a <bndbox>, or <scene> or <nobndbox> equal to 1"),
        (unboxed(1, nobndbox=0), "must have a <bndbox>, or <scene> or <nobndbox> equal to 1"),
        ("<object><name>1</name><bndbox><xmin>1</xmin></bndbox></object>", "must hold xmin, ymin, xmax, ymax as numbe"),
        (boxed((1, "b", 3, 4), 1), "must hold xmin, ymin, xmax, ymax as numbers, got ['1', 'b', '3', '4']"),
        (boxed((1, "nan", 3, 4), 1), "must hold xmin, ymin, xmax, ymax as numbers"),
        (boxed((1, 9, 3, 4), 1), "<bndbox> must have xmin <= xmax and ymin <= ymax, got ['1', '9', '3', '4']"),
        (boxed((41, 1, 50, 4), 1), "is outside the image of 40 x 30 pixels"),
    ],
)
def test_an_invalid_object_is_refused(tmp_path, object_, reason):
    found = read(tmp_path, boxed((1, 1, 2, 2), 5), object_)
    ((where, found_reason),) = found.faults
    assert where == "object 2"
    assert reason in found_reason
    assert [names for _, names in found.boxes] == [("5",)]


LAUGHS = (
    '<!DOCTYPE annotation [<!ENTITY a0 "ha">{}]><annotation><object><name>&a30;</name></object></annotation>'.format(
        "".join(f'<!ENTITY a{i} "&a{i - 1};&a{i - 1};">' for i in range(1, 31))
    )
)


@pytest.mark.parametrize(
    "xml",
    [
        LAUGHS,
        LAUGHS.encode("utf-16"),
        '<!DOCTYPE annotation SYSTEM "file:///etc/hostname"><annotation/>',
        '<?xml version="1.0"?><!-- a --><!DOCTYPE annotation><annotation/>',
    ],
)
def test_a_document_type_is_refused_without_expanding_entities(tmp_path, xml):
    with pytest.raises(Malformed, match="document type declarations are not allowed"):
        read_annotation(write(tmp_path, xml))


@pytest.mark.parametrize(
    "xml, reason",
    [
        ("", "must be valid XML: no element found"),
        ("<annotation><size></annotation>", "must be valid XML: mismatched tag: line 1"),
        ("\x00\x01", "must be valid XML"),
        ('<?xml version="1.0" encoding="nonsense"?><annotation/>', "must be valid XML"),
        ("<annotation>&a;</annotation>", "must be valid XML: undefined entity"),
        ("<svg/>", "the root must be <annotation>, got <svg>"),
        ("<annotation/>", "<size> must hold a width and a height in pixels, got '' and ''"),
        (annotation("1", [], (0, 5)), "must hold a width and a height in pixels, got '0' and '5'"),
        (annotation("1", [], (-3, 5)), "must hold a width and a height in pixels, got '-3' and '5'"),
        (" " * (MAX_BYTES + 1), "the file must have at most 1048576 bytes"),
    ],
)
def test_an_invalid_annotation_file_is_refused(tmp_path, xml, reason):
    with pytest.raises(Malformed, match=reason):
        read_annotation(write(tmp_path, xml))
