"""One sentence and one annotation of Flickr30k Entities: what they say, and how nonsense is refused."""

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
def test_what_is_written_is_read(parts):
    """Text is the words with single spaces; each phrase is at its words, with its chain and its first type."""
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
        ("", "the caption holds no word: ''"),
        (" . ", "the caption holds no word"),
        ("[/EN#1/people A man", "a bracket opens or closes no phrase"),
        ("A man]", "a bracket opens or closes no phrase"),
        ("[/EN#1/people A [/EN#2/other ball] man]", "a bracket opens or closes no phrase"),
        ("[EN#1/people A man]", "a bracket opens or closes no phrase"),
        ("[/EN#1 A man]", "a bracket opens or closes no phrase"),
        ("[/EN#1/people ] runs", r"the phrase '\[/EN#1/people \]' has no words"),
        ("[/EN#1/persons A man] runs", "has the type 'persons'; types are animals, "),
    ],
)
def test_a_line_that_is_no_sentence_is_refused(line, reason):
    """With the reason."""
    with pytest.raises(Malformed, match=reason):
        parse(line)


def write(tmp_path, xml):
    path = tmp_path / "36.xml"
    path.write_bytes(xml if isinstance(xml, bytes) else xml.encode())
    return path


def read(tmp_path, *objects):
    return read_annotation(write(tmp_path, annotation("36", objects)))


def test_flags_say_that_a_chain_has_no_box(tmp_path):
    """Scene, no box, or both; a chain may have a box elsewhere."""
    found = read(
        tmp_path, unboxed(1, scene=1, nobndbox=0), unboxed("b", 3), unboxed(4, scene=1), boxed((2, 3, 4, 5), 1)
    )
    assert found.unboxed == ("1", "b", "3", "4")
    assert found.boxes == ((Box(1, 2, 4, 5), ("1",)),)
    assert (found.width, found.height, found.faults) == (40, 30, ())


@given(st.integers(1, 40), st.integers(1, 30), st.integers(0, 39), st.integers(0, 29))
def test_a_box_holds_the_pixels_that_its_corners_say(tmp_path_factory, xmin, ymin, right, down):
    """As many as from one corner to the other, both counted, inside the image."""
    xmax, ymax = min(xmin + right, 40), min(ymin + down, 30)
    ((box, _),) = read(tmp_path_factory.mktemp("xml"), boxed((xmin, ymin, xmax, ymax), 1)).boxes
    assert (box.width, box.height) == (xmax - xmin + 1, ymax - ymin + 1)
    assert (box.left, box.top) == (xmin - 1, ymin - 1)
    assert box.inside(40, 30)


def test_a_box_that_leaves_the_image_is_clipped(tmp_path):
    """At every side."""
    assert read(tmp_path, boxed((0, -3, 45, 31), 1)).boxes == ((Box(0, 0, 40, 30), ("1",)),)


@pytest.mark.parametrize(
    "object_, reason",
    [
        ("<object></object>", "it has no <name>"),
        ("<object><name> </name></object>", "it has no <name>"),
        ("<object><name>1</name></object>", "it has no <bndbox>, and neither <scene> nor <nobndbox> is 1"),
        (unboxed(1, nobndbox=0), "it has no <bndbox>, and neither <scene> nor <nobndbox> is 1"),
        ("<object><name>1</name><bndbox><xmin>1</xmin></bndbox></object>", "must hold xmin, ymin, xmax, ymax as numbe"),
        (boxed((1, "b", 3, 4), 1), "must hold xmin, ymin, xmax, ymax as numbers, got ['1', 'b', '3', '4']"),
        (boxed((1, "nan", 3, 4), 1), "must hold xmin, ymin, xmax, ymax as numbers"),
        (boxed((1, 9, 3, 4), 1), "its <bndbox> is turned inside out: ['1', '9', '3', '4']"),
        (boxed((41, 1, 50, 4), 1), "lies outside its image of 40 x 30 pixels"),
    ],
)
def test_an_object_that_makes_no_sense_is_refused(tmp_path, object_, reason):
    """And the others stay."""
    found = read(tmp_path, boxed((1, 1, 2, 2), 5), object_)
    ((where, said),) = found.faults
    assert where == "object 2"
    assert reason in said
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
def test_a_document_type_is_refused_and_nothing_is_expanded(tmp_path, xml):
    """A billion laughs, in any encoding; a file of somewhere else."""
    with pytest.raises(Malformed, match="it declares a document type"):
        read_annotation(write(tmp_path, xml))


@pytest.mark.parametrize(
    "xml, reason",
    [
        ("", "it must be XML, but it is not: no element found"),
        ("<annotation><size></annotation>", "it must be XML, but it is not: mismatched tag: line 1"),
        ("\x00\x01", "it must be XML, but it is not"),
        ('<?xml version="1.0" encoding="nonsense"?><annotation/>', "it must be XML, but it is not"),
        ("<annotation>&a;</annotation>", "it must be XML, but it is not: undefined entity"),
        ("<svg/>", "its root must be <annotation>, got <svg>"),
        ("<annotation/>", "its <size> must hold a width and a height in pixels, got '' and ''"),
        (annotation("1", [], (0, 5)), "must hold a width and a height in pixels, got '0' and '5'"),
        (annotation("1", [], (-3, 5)), "must hold a width and a height in pixels, got '-3' and '5'"),
        (" " * (MAX_BYTES + 1), "the file is larger than 1048576 bytes"),
    ],
)
def test_a_file_that_is_no_annotation_is_refused(tmp_path, xml, reason):
    """With the reason and the line."""
    with pytest.raises(Malformed, match=reason):
        read_annotation(write(tmp_path, xml))
