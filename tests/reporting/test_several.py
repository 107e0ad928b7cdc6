"""Several models side by side: complete, distinguishable, and small enough for a terminal, a page and an e-mail."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlaudit.reporting.document import RunDocument
from vlaudit.reporting.exhibits import Curves, draw, joined
from vlaudit.reporting.figures import figures
from vlaudit.reporting.html import render_sections
from vlaudit.reporting.several import overall
from vlaudit.reporting.side_by_side import compared, matrix, short_name
from vlaudit.reporting.terminal import verdict_table

SEVEN = ("albef", "uniter", "lxmert", "vilbert", "vl-bert", "visualbert", "bert")
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'"


class Page(HTMLParser):
    """Every element with its attributes, and all text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def drawn(demo):
    return demo.exhibits_of_several(SEVEN)


@pytest.fixture(scope="module")
def page(demo, drawn):
    return Page(render_sections(demo.document_of_several(SEVEN), drawn))


# the terminal


def test_seven_models_fit_in_one_block_of_80_columns(demo):
    lines = matrix(demo.document_of_several(SEVEN), 80)
    assert lines[0].split() == list(SEVEN)
    assert max(map(len, lines)) <= 80
    assert sum(line.split() == list(SEVEN) for line in lines) == 1


def test_a_row_holds_the_verdict_of_each_model_under_its_name(demo):
    lines = matrix(demo.document_of_several(("albef", "uniter")), 80)
    (row,) = [line for line in lines if "vision_effect" in line]
    assert row.split() == ["vision_effect", "pass", "FAIL"]
    assert row.index("FAIL") == lines[0].index("uniter")
    assert "  links_above_random" in lines
    assert any(line.startswith("    people-text_image ") for line in lines)


def test_failures_have_estimates_and_every_model_has_its_sentence(demo):
    document = demo.document_of_several(("albef", "uniter"))
    text = " ".join("\n".join(verdict_table(document, 80, "all.html")).split())
    assert "FAIL text_dominance.vision_effect, demanded at least 0.1 uniter: 0.512 [0.471, 0.553], 400 images" in text
    for family, summary in document.summaries.items():
        assert f"{family}: {summary.sentence}" in text
    assert text.endswith(f"{document.summary.sentence} report: all.html")


names = st.text("abcdefghij-_./:", min_size=1, max_size=60)


@given(st.lists(names, min_size=2, max_size=14, unique=True), st.sampled_from([72, 80, 120]))
@settings(max_examples=30, deadline=None)
def test_every_line_fits_for_any_names_of_models(demo, families, width):
    document = demo.document_of_several(families)
    lines = verdict_table(document, width)
    assert max(map(len, lines)) <= width
    heads = [word for line in matrix(document, width) for word in line.split()]
    assert {short_name(family) for family in families} - {""} <= set(heads)


def test_a_criterion_that_was_not_run_on_a_model_is_a_dash(demo):
    document = demo.document_of_several(("albef", "uniter"))
    one = document.model_copy(update={"findings": document.findings[: len(document.findings) // 2]})
    (row,) = [line for line in matrix(one, 80) if "vision_effect" in line]
    assert row.split() == ["vision_effect", "pass", "-"]


# the document


def test_findings_and_summaries_are_kept_by_model(demo, tmp_path):
    document = demo.document_of_several(SEVEN)
    document.to_json(tmp_path / "all.json")
    assert RunDocument.from_json(tmp_path / "all.json") == document
    assert tuple(document.summaries) == SEVEN
    for family, summary in document.summaries.items():
        of = [c for finding in document.findings if finding.model == family for c in finding.criteria]
        assert sum(summary.outcomes.values()) == len(of)
    assert overall(document, "bert") == "fail"


def test_models_are_compared_in_the_order_of_the_run(demo):
    document = demo.document_of_several(SEVEN[::-1])
    for one in compared(document).values():
        assert [finding.model for finding in one.findings] == list(SEVEN[::-1])
        assert all(len(cells) == len(SEVEN) for cells in one.rows.values())


# the page


def test_every_verdict_is_in_the_table(page, demo):
    document = demo.document_of_several(SEVEN)
    for finding in document.findings:
        for criterion in finding.criteria:
            assert criterion.interval in page.text
    for subject in document.subject:
        assert document.summaries[subject.family].sentence in page.text
        assert subject.fingerprint in page.text
    cells = [attrs for tag, attrs in page.elements if tag == "td" and attrs.get("role") == "cell"]
    rows = sum(len(one.rows) + 1 for one in compared(document).values())
    assert len(cells) == rows * len(SEVEN)


def test_every_id_is_unique_and_every_link_has_a_target(page):
    named = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(named) == len(set(named))
    targets = {attrs["href"][1:] for _, attrs in page.elements if attrs.get("href", "").startswith("#")}
    assert targets <= set(named)


def test_details_open_without_a_script(page, demo):
    assert not [tag for tag, _ in page.elements if tag == "script"]
    folded = [attrs for tag, attrs in page.elements if tag == "details" and attrs.get("class") == "of-model"]
    assert len(folded) == len(SEVEN) * len(demo.FINDINGS)


def test_seven_models_are_far_below_what_a_mail_takes(demo, drawn):
    assert len(render_sections(demo.document_of_several(SEVEN), drawn)) < 4_000_000


def test_of_several_models_fewer_samples_are_shown(demo, drawn):
    alone = demo.exhibits()
    for key in alone:
        for one, many in zip(alone[key], drawn[key], strict=True):
            shown, fewer = one.html.count("<li>"), many.html.count("<li>")
            assert not one.samples or (fewer == 2 < shown), one.title


def test_text_of_a_document_is_never_markup(demo):
    document = demo.document_of_several(("albef", "uniter"))
    text = document.model_dump_json().replace("It completes captions", HOSTILE.replace('"', "'"))
    text = text.replace('"uniter"', f'"uniter{HOSTILE.replace(chr(34), chr(39))}"')
    page = Page(render_sections(RunDocument.model_validate_json(text), {}))
    assert page.text.count("alert(1)") > 5
    assert not [tag for tag, _ in page.elements if tag in {"script", "img"}]
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]


# pictures


def test_a_curve_of_several_models_is_one_plot_with_a_line_each(demo):
    made = demo.units(8)
    (one,) = draw(
        [Curves("T", demo.DESIGN, {"a": "moves", "b": "control"})],
        {demo.DESIGN.id: (demo.table(made), made)},
        several=True,
    )
    text = joined({"albef": one.plain, "bert": one.plain}, SEVEN)
    assert text.count("<figure") == 1
    assert len(re.findall(r'class="drawing"', text)) == 2
    assert "var(--series-0)" in text
    assert "var(--series-6)" in text, "a model keeps its colour where others have no such curve"
    assert "var(--series-1)" not in text


def test_too_many_models_have_a_picture_each(demo):
    families = [f"m{i}" for i in range(9)]
    text = render_sections(demo.document_of_several(families), demo.exhibits_of_several(families))
    assert "joined" not in text
    assert text.count('<div class="multiple">') >= 9


def test_a_missing_exhibit_is_reported_once(demo):
    made = demo.units(4)
    lacking = draw(
        [Curves("T", demo.DESIGN, {"a": "nowhere"})], {demo.DESIGN.id: (demo.table(made), made)}, several=True
    )
    document = demo.document_of_several(("albef", "uniter"))
    name = document.findings[0].id
    text = render_sections(document, {(name, "albef"): lacking, (name, "uniter"): lacking})
    assert text.count("Not drawn for albef, uniter: the table has no column") == 1


def test_a_published_figure_belongs_to_the_family_that_it_names(demo):
    finding = demo.document().findings[0]
    published = {"NMI, UNITER-base": "0.36", "VisualBERT": "0.2", "vl-bert": "0.3", "plain": "of BERT"}
    found = figures(finding.model_copy(update={"published": published}), SEVEN)
    assert [one.families for one in found] == [("uniter",), ("visualbert",), ("vl-bert",), ("bert",)]
