"""Exhibits show the measurements: numbers equal plain arithmetic, pictures the pixels, text is escaped."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlaudit.errors import DataError, UsageError
from vlaudit.findings import Design
from vlaudit.measures import MatchProbability
from vlaudit.measures.base import Unit
from vlaudit.perturbations import Cover, Mirror
from vlaudit.reporting.exhibits import (
    Bars,
    Confusion,
    Curves,
    ExtremeSamples,
    HeadMap,
    HeadMaxima,
    Pairs,
    render_exhibits,
)
from vlaudit.reporting.exhibits.choosing import chosen
from vlaudit.reporting.exhibits.clusters import clustered_mean
from vlaudit.reporting.exhibits.thumbnails import SIDE, marked, thumbnail
from vlaudit.samples import Box, Image, Region, Sample, Slot, Span
from vlaudit.selection import EverySample
from vlaudit.tables import Table

HOSTILE = "<script>alert(1)</script>\"'&"
CONDITIONS = {"shown": (), "flip": (Mirror(),), "covered": (Cover("scenery"),)}
DESIGN = Design("any", EverySample(), CONDITIONS, MatchProbability())
VOID = {"img", "br", "path", "use", "rect", "line", "circle", "meta"}


class Page(HTMLParser):
    """Every element with its attributes, every text, and whether what is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.open = [], "", []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


def unit(name, caption="a red dog runs", image_id=None):
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:, :10] = [255, 0, 0]
    image = Image.from_array(pixels)
    region = Region("dog", Box(3, 2, 12, 10), "dog")
    slot = Slot(2, 5, "color", ("dog",), answer="red", choices=("red", "blue"), asked=True)
    return Unit(name, Sample(name, image_id or name, image, caption, (region,), slots=(slot,)))


def made(rows, **facts):
    """A table of made-up rows, two units per image, and its units."""
    units = {f"u{i}": unit(f"u{i}", image_id=f"i{i // 2}") for i in range(len(rows))}
    return Table.of(
        [{"unit_id": u, "image_id": v.image_id, **row} for (u, v), row in zip(units.items(), rows, strict=True)]
    ), units


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(-5, 5)), min_size=1, max_size=30))
@settings(max_examples=50)
def test_a_mean_is_over_images_and_lies_in_its_interval(found):
    table = Table.of([{"unit_id": str(i), "image_id": f"i{im}", "x": x} for i, (im, x) in enumerate(found)])
    by_image = {im: np.mean([x for other, x in found if other == im]) for im, _ in found}
    mean = clustered_mean(table, "x")
    assert float(mean.value) == pytest.approx(np.mean(list(by_image.values())), abs=1e-9)
    assert (mean.units, mean.images) == (len(found), len(by_image))
    spread = list(by_image.values())
    assert min(spread) - 1e-9 <= float(mean.low) <= float(mean.high) <= max(spread) + 1e-9


def test_the_interval_of_a_mean_covers_as_often_as_it_says():
    """Images with several alike units: resampling units instead would cover far less often."""
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(100):
        per_image = rng.normal(size=40)
        rows = [{"unit_id": f"{i}-{k}", "image_id": str(i), "x": per_image[i]} for i in range(40) for k in range(4)]
        mean = clustered_mean(Table.of(rows), "x")
        covered += float(mean.low) <= 0 <= float(mean.high)
    assert 0.85 <= covered / 100 <= 0.99


def test_every_place_of_an_array_has_its_own_mean():
    table, _ = made([{"x": [1.0, 10.0]}, {"x": [3.0, 30.0]}])
    assert clustered_mean(table, "x").value.tolist() == [2.0, 20.0]


def test_units_without_a_number_are_left_out():
    table, _ = made([{"x": 1.0}, {"x": float("nan")}, {"x": None}, {"x": 2.0}])
    assert float(clustered_mean(table, "x").value) == 1.5


def test_a_column_without_numbers_is_named():
    table, _ = made([{"x": float("nan"), "word": "red"}])
    with pytest.raises(DataError, match="'x' must contain numbers to be drawn, got only NaN"):
        clustered_mean(table, "x")
    with pytest.raises(DataError, match="'word' must contain numbers"):
        clustered_mean(table, "word")


def test_bars_reach_as_far_as_their_means():
    table, units = made([{"a": 0.25, "b": True}, {"a": 0.25, "b": False}])
    page = Page(Bars("Title", DESIGN, {"first": "a", "second": "b"}).render(table, units))
    fills = [rect for rect in page.all("rect") if rect.get("class", "").startswith("fill")]
    assert [fill["width"] for fill in fills] == ["25.00%", "50.00%"]
    assert "0.250" in page.text
    assert "0.500" in page.text


def test_negative_bars_start_at_zero():
    table, units = made([{"a": -1.0, "b": 3.0}])
    page = Page(Bars("Title", DESIGN, {"first": "a", "second": "b"}, bounds=None).render(table, units))
    fills = [(r["x"], r["width"]) for r in page.all("rect") if r.get("class", "").startswith("fill")]
    assert fills == [("0.00%", "25.00%"), ("25.00%", "75.00%")]


def test_groups_of_bars_that_are_none_are_refused():
    with pytest.raises(UsageError, match=r"groups must name labels of bars, got \['typo'\]"):
        Bars("Title", DESIGN, {"a": "a"}, {"group": ("typo",)})


def test_confusion_is_counted_by_truth():
    answers = ["red", "red", "blue", "teal", "blue"]
    truths = ["red", "red", "red", "red", "blue"]
    table, units = made([{"t": t, "a": a} for t, a in zip(truths, answers, strict=True)])
    text = Confusion("Title", DESIGN, "t", "a", ("red", "blue", "green")).render(table, units)
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", text)
    cells = [re.findall(r"<td[^>]*>(\d*)</td>", row) for row in rows]
    assert cells == [["50", "25", "", "25", "4"], ["", "100", "", "", "1"]], "red, blue, green, other, units"
    assert Page(text).all("td")[0]["class"].endswith("marked")


def test_confusion_without_a_known_truth_is_not_drawn():
    table, units = made([{"t": "teal", "a": "red"}])
    assert "must contain one of red, blue" in render_exhibits(
        [Confusion("T", DESIGN, "t", "a", ("red", "blue"))], table, units
    )


def test_a_head_map_marks_the_highest_head():
    values = np.array([[0.1, 0.2, 0.3], [0.9, 0.5, 0.4]])
    table, units = made([{"h": values - 0.05, "flat": values.ravel()}, {"h": values + 0.05, "flat": values.ravel()}])
    nested = HeadMap("Title", DESIGN, "h", first_layer=6).render(table, units)
    assert nested == HeadMap("Title", DESIGN, "flat", shape=(2, 3), first_layer=6).render(table, units)
    cells = re.findall(r'<td class="([^"]*)"[^>]*>([^<]*)</td>', nested)
    assert [text for _, text in cells] == [".10", ".20", ".30", ".90", ".50", ".40"]
    assert [i for i, (kind, _) in enumerate(cells) if "marked" in kind] == [3]
    assert "0.900, layer 7, head 0" in nested


def test_heads_of_another_shape_are_reported_in_their_place():
    table, units = made([{"h": [0.1, 0.2], "x": 0.5}])
    drawn = render_exhibits([HeadMap("Heads", DESIGN, "h"), Bars("Bars", DESIGN, {"x": "x"})], table, units)
    assert "Not drawn: column &#39;h&#39; must have the shape (layers, heads)" in drawn
    assert 'class="exhibit bars"' in drawn


def test_a_missing_column_or_an_empty_table_is_reported():
    table, units = made([{"x": 0.5}])
    assert "has no column &#39;y&#39;" in render_exhibits([Bars("Bars", DESIGN, {"y": "y"})], table, units)
    assert "nothing was measured" in render_exhibits([Bars("Bars", DESIGN, {"y": "y"})], Table.of([]), {})


@pytest.fixture(scope="module")
def curves():
    table, units = made([{"a": [0.0, 0.5, 1.0], "b": [0.2, 0.1, 0.0]}] * 4)
    return Curves("Moves", DESIGN, {"model": "a", "$x^2$ <i>": "b"}, first=6, unit="$ <b>").render(table, units)


def test_curves_are_drawn_in_the_colours_of_the_page(curves):
    assert "var(--series-0)" in curves
    assert "var(--series-1)" in curves
    colors = set(re.findall(r"#[0-9a-f]{6}\b", curves))
    assert not colors, "a colour of its own does not follow light and dark"


def test_curves_have_their_numbers_as_text(curves):
    page = Page(curves)
    for place in ("6", "7", "8", "0.500", "1.000", "0.100"):
        assert place in page.text
    assert any("model from 0.000 to 1.000" in attrs.get("aria-label", "") for _, attrs in page.elements)


def test_curves_reach_beyond_the_drawing_for_nothing(curves):
    page = Page(curves)
    assert not page.all("style"), "a style inside a drawing would reach the whole page"
    named = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(named) == len(set(named))
    assert set(re.findall(r'url\(#([^)]*)\)|href="#([^"]*)"', curves)) <= {(n, "") for n in named} | {
        ("", n) for n in named
    }


def test_the_same_curves_are_the_same_bytes(curves):
    table, units = made([{"a": [0.0, 0.5, 1.0], "b": [0.2, 0.1, 0.0]}] * 4)
    assert (
        Curves("Moves", DESIGN, {"model": "a", "$x^2$ <i>": "b"}, first=6, unit="$ <b>").render(table, units) == curves
    )


@pytest.mark.parametrize("count", [0, 9])
def test_more_curves_than_can_be_distinguished_are_refused(count):
    with pytest.raises(UsageError, match=f"curves must have between 1 and 8 entries, got {count}"):
        Curves("Title", DESIGN, {str(i): "a" for i in range(count)})


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-9, 9) | st.just(float("nan"))), min_size=1, max_size=12))
@settings(max_examples=50)
def test_extreme_samples_come_first_each_image_once(found):
    table = Table.of([{"unit_id": f"u{i:02}", "image_id": f"i{im}", "x": x} for i, (im, x) in enumerate(found)])
    rows = chosen(table, "x", "highest", 3)
    values = [found[row][1] for row in rows]
    assert values == sorted(values, reverse=True)
    assert len({found[row][0] for row in rows}) == len(rows)
    known = [x for _, x in found if not np.isnan(x)]
    assert values[:1] == ([max(known)] if known else [])
    images = {im for im, x in found if not np.isnan(x)}
    assert len(rows) == min(3, len(images))


def test_ends_of_a_column():
    table, _ = made([{"x": x} for x in (0.1, 9.0, -3.0, 9.0, 2.0)])
    assert chosen(table, "x", "lowest", 1) == [2]
    assert chosen(table, "x", "highest", 2) == [1, 3]
    assert chosen(table, "x", "largest", 3) == [1, 3, 4], "the row of -3 shares its image with a larger one"


def test_an_extreme_sample_shows_picture_tested_word_and_numbers():
    table, units = made([{"x": 0.1234, "right": True, "word": "red"}])
    page = ExtremeSamples("Title", DESIGN, "x", {"p": "x", "right": "right", "answer": "word"}).render(table, units)
    assert "a <mark>red</mark> dog runs" in page
    for value in ("0.123", "yes", "red"):
        assert f"<dd>{value}</dd>" in page
    assert "left:10.0%;top:10.0%;width:30.0%;height:40.0%" in page, "the tested region is outlined"


def pixels_of(uri):
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def test_a_pair_shows_the_pictures_of_its_conditions():
    table, units = made([{"l": 0.75, "r": 0.25, "ml": 0.5, "mr": 0.0}])
    pictures = {"original": "shown", "mirrored": "flip"}
    text = Pairs("Title", DESIGN, {"left": "l", "right": "r"}, {"left": "ml", "right": "mr"}, pictures).render(
        table, units
    )
    page = Page(text)
    original, mirrored = (pixels_of(image["src"]) for image in page.all("img"))
    assert (original == units["u0"].sample.image.pixels()).all()
    assert (mirrored == original[:, ::-1]).all()
    fills = [rect["width"] for rect in page.all("rect") if rect.get("class", "").startswith("fill")]
    assert fills == ["75.00%", "25.00%", "50.00%", "0.00%"]


def test_a_condition_that_refuses_its_sample_gives_the_reason():
    table, units = made([{"x": 0.1}])
    text = ExtremeSamples("Title", DESIGN, "x", pictures={"covered": "covered"}).render(table, units)
    assert "no scenery slot of its caption is linked to a region" in text


def test_an_unreadable_picture_is_reported_in_its_place():
    def broken():
        raise DataError("a broken file")

    shown = thumbnail("label", Image("key", 10, 10, broken), "caption")
    assert shown.uri == ""
    table, _ = made([{"x": 0.1}])
    units = {"u0": Unit("u0", Sample("u0", "i0", Image("key", 10, 10, broken), "a red dog runs"))}
    assert "no picture" in ExtremeSamples("Title", DESIGN, "x").render(table, units)


@given(st.integers(1, 900), st.integers(1, 900))
@settings(max_examples=20)
def test_a_thumbnail_is_small_and_keeps_its_shape(width, height):
    image = Image.from_array(np.zeros((height, width, 3), np.uint8))
    shown = thumbnail("", image, "caption")
    assert max(shown.width, shown.height) <= SIDE
    assert pixels_of(shown.uri).shape[:2] == (shown.height, shown.width)
    if max(width, height) <= SIDE:
        assert (shown.width, shown.height) == (width, height)


@given(st.text(min_size=1, max_size=30), st.data())
def test_a_marked_caption_is_the_caption(caption, data):
    spans = []
    for _ in range(data.draw(st.integers(0, 3))):
        start = data.draw(st.integers(0, len(caption) - 1))
        spans.append(Span(start, data.draw(st.integers(start + 1, len(caption)))))
    sample = Sample("s", "i", None, caption, hidden_phrases=tuple(spans))
    pieces = marked(sample, Unit("u", sample))
    assert "".join(text for text, _ in pieces) == caption
    asked = {i for span in spans for i in range(*span)}
    flags = [flag for text, flag in pieces for _ in text]
    assert {i for i, flag in enumerate(flags) if flag} == asked


def test_maxima_are_those_of_each_group_and_each_column():
    """The best heads of the two columns differ, and every image counts once."""
    rows = [{"h": [[0.1, 0.6]], "r": [[0.3, 0.2]], "t": "dogs"}, {"h": [[0.3, 0.4]], "r": [[0.5, 0.2]], "t": "dogs"}]
    table, units = made([*rows, {"h": [[0.9, 0.0]], "r": [[0.0, 0.0]], "t": "cats"}])
    exhibit = HeadMaxima("Title", DESIGN, {"linked": "h", "random": "r"}, by="t", published={"dogs": "0.165"})
    assert exhibit.columns == {"h", "r", "t"}
    cells = re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", exhibit.render(table, units))
    assert cells == [
        *("t", "linked", "random", "units", "published"),
        *("cats", "0.900", "0.000", "1", ""),
        *("dogs", "0.500", "0.400", "2", "0.165"),
    ]


def test_text_from_data_is_never_markup():
    units = {HOSTILE: unit(HOSTILE, caption=HOSTILE + " red", image_id=HOSTILE)}
    row = {"unit_id": HOSTILE, "image_id": HOSTILE, "x": 0.5, "a": [0.1, 0.2], "h": [[0.1, 0.2]], "t": HOSTILE}
    table = Table.of([row])
    shown = [
        Bars(HOSTILE, DESIGN, {HOSTILE: "x"}, {HOSTILE: (HOSTILE,)}, unit=HOSTILE, note=HOSTILE),
        Confusion(HOSTILE, DESIGN, "t", "t", (HOSTILE,), note=HOSTILE),
        Curves(HOSTILE, DESIGN, {HOSTILE: "a"}, axis=HOSTILE, unit=HOSTILE, places=(HOSTILE, "2"), note=HOSTILE),
        HeadMap(HOSTILE, DESIGN, "h", unit=HOSTILE, note=HOSTILE),
        HeadMaxima(HOSTILE, DESIGN, {HOSTILE: "h"}, "t", {HOSTILE: HOSTILE}, unit=HOSTILE, note=HOSTILE),
        Pairs(HOSTILE, DESIGN, {HOSTILE: "x"}, {HOSTILE: "x"}, pictures={HOSTILE: "shown", "b": "flip"}, note=HOSTILE),
        ExtremeSamples(HOSTILE, DESIGN, "x", {HOSTILE: "t"}, note=HOSTILE),
        Bars("missing", DESIGN, {"a": HOSTILE}),
    ]
    page = Page(render_exhibits(shown, table, units))
    assert page.text.count("alert(1)") > 20
    assert not page.open
    assert "script" not in {tag for tag, _ in page.elements}
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]


def test_drawings_fetch_nothing():
    table, units = made([{"x": 0.5, "a": [0.1, 0.2], "h": [[0.1, 0.2]]}])
    text = render_exhibits(
        [ExtremeSamples("T", DESIGN, "x"), Curves("C", DESIGN, {"a": "a"}), HeadMap("H", DESIGN, "h")], table, units
    )
    for _, attrs in Page(text).elements:
        for name in ("src", "href", "xlink:href"):
            assert attrs.get(name, "#").startswith(("#", "data:"))
