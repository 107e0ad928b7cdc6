"""The page: complete, self-contained, our sections first, and data never interpreted as markup."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from vlaudit.findings import Finding
from vlaudit.reporting.document import RunDocument, finding_record
from vlaudit.reporting.html import render_page, render_sections, report_title
from vlaudit.reporting.several import overall

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'"
SUMMARIES = ("summary", "summaries")
VOID = {"meta", "img", "br", "input", "source", "link"}


class Page(HTMLParser):
    """Elements with their ancestors, and the text of each script and style."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.path, self.raw, self.text = [], [], {"script": [], "style": []}, ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), tuple(self.path)))
        if tag not in VOID:
            self.path.append(tag)
        if tag in self.raw:
            self.raw[tag].append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs), tuple(self.path)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            while self.path and self.path.pop() != tag:
                pass

    def handle_data(self, data):
        if self.path and self.path[-1] in self.raw:
            self.raw[self.path[-1]][-1] += data
        else:
            self.text += data

    def all(self, tag):
        return [attrs for name, attrs, _ in self.elements if name == tag]


@pytest.fixture(scope="module")
def text(demo):
    return render_page(demo.document(), demo.exhibits(), demo.TESTS)


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_the_page_has_a_language_a_viewport_and_one_title(page):
    assert page.all("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")
    titles = [path for tag, _, path in page.elements if tag == "title" and "svg" not in path]
    assert titles == [("html", "head")]
    assert len(page.all("h1")) == len(page.all("main")) == 1


def test_our_sections_come_first_and_pytests_table_is_an_appendix(page):
    order = [attrs.get("id") for _, attrs, _ in page.elements]
    assert order.index("criteria") < order.index("tests") < order.index("results-table")
    [ancestors] = [path for _, attrs, path in page.elements if attrs.get("id") == "results-table"]
    assert "details" in ancestors
    assert "main" not in ancestors


def test_every_id_is_unique(page):
    named = [attrs["id"] for _, attrs, _ in page.elements if "id" in attrs]
    assert len(named) == len(set(named))
    targets = {attrs["href"][1:] for _, attrs, _ in page.elements if attrs.get("href", "").startswith("#")}
    assert targets <= set(named)


def test_the_first_thing_that_a_keyboard_reaches_skips_to_the_verdicts(page):
    reachable = [attrs for tag, attrs, _ in page.elements if tag in {"a", "button", "input", "summary"}]
    assert reachable[0] == {"class": "skip", "href": "#criteria"}


def test_nothing_is_fetched(page):
    for tag, attrs, _ in page.elements:
        assert tag not in {"link", "iframe", "object", "embed", "base"}
        for name in ("src", "xlink:href", "data", "poster", "action"):
            assert (attrs.get(name) or "#").startswith(("#", "data:")), (tag, attrs)
    assert not [style for style in page.raw["style"] if "url(" in style or "@import" in style]


def test_only_the_scripts_that_the_page_holds_may_run(page):
    [policy] = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    hashes = {base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in page.raw["script"]}
    assert set(re.findall(r"'sha256-([^']*)'", policy)) == hashes
    assert "default-src 'none'" in policy
    assert "http" not in policy


def test_no_attribute_of_the_page_is_a_script(page):
    assert not [name for _, attrs, _ in page.elements for name in attrs if name.startswith("on")]


def test_ids_and_logs_of_tests_cannot_become_markup(page):
    assert "alert(2)" in page.text
    assert "alert(3)" in page.text
    assert len(page.raw["script"]) == 1


def test_without_tests_there_is_no_appendix(demo):
    page = Page(render_page(demo.document(), demo.exhibits()))
    assert not [attrs for _, attrs, _ in page.elements if attrs.get("id") == "tests"]
    assert "Appendix" not in page.text


def test_dark_pages_and_paper_have_a_style_of_their_own(page):
    [style] = page.raw["style"]
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style


def test_the_page_contains_the_content_of_the_document(page, demo):
    document = demo.document()
    assert document.summary.sentence in page.text
    for finding in document.findings:
        for text in (finding.claim, finding.source, finding.failing, *finding.published.values()):
            assert text in page.text
        assert all(exhibit.title in page.text for exhibit in _exhibits(demo, finding.id))
        for criterion in finding.criteria:
            assert criterion.interval in page.text
            assert criterion.why in page.text
    for text in ("scenes: 400 drawn from seed 0", document.command, document.subject[0].fingerprint):
        assert text in page.text


def _exhibits(demo, name):
    return next(finding.exhibits for finding, _ in demo.FINDINGS if finding.id == name)


def test_a_verdict_is_a_sign_and_a_word_not_only_a_colour(page, demo):
    for outcome in demo.document().summary.outcomes:
        assert outcome in page.text
        assert any(f"#i-{outcome.replace(' ', '-')}" == attrs.get("href") for attrs in page.all("use"))


def test_every_picture_and_drawing_has_words(page):
    ours = [(tag, attrs, path) for tag, attrs, path in page.elements if "main" in path]
    pictures = [attrs for tag, attrs, _ in ours if tag == "img"]
    assert len(pictures) == 2 * 5 + 2 * 4 + 5
    assert all(attrs["alt"] for attrs in pictures)
    for tag, attrs, path in ours:
        labelled = "aria-label" in attrs or "aria-hidden" in attrs
        assert tag != "svg" or labelled or path[-2:] == ("figure", "div"), "a drawing of matplotlib is labelled around"


def test_a_whole_report_is_small(text):
    """All exhibits of five findings, far below the 5 MB that a mail takes."""
    assert 100_000 < len(text.encode()) < 1_000_000


def hostile(value, key=""):
    """The same document with hostile text wherever there is text."""
    if isinstance(value, dict):
        return {
            (HOSTILE + k if key in {"published", "refused", "shown"} else k): hostile(v, k) for k, v in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [hostile(one, key) for one in value]
    free = isinstance(value, str) and key not in {"outcome", "status", "expect", "schema_version", "started"}
    return HOSTILE + value if free else value


def test_text_of_a_document_is_never_markup(demo):
    document = RunDocument.model_validate(hostile(demo.document().model_dump(mode="json")))
    page = Page(render_sections(document, {}))
    assert page.text.count("alert(1)") > 100
    assert not page.raw["script"]
    assert not page.all("img")
    assert not [name for _, attrs, _ in page.elements for name in attrs if name.startswith("on")]


@pytest.mark.parametrize(
    ("outcomes", "changes", "expected"),
    [
        (("pass", "pass"), {}, "pass"),
        (("pass", "inconclusive"), {}, "inconclusive"),
        (("pass", "inconclusive"), {"gate": True}, "fail"),
        (("pass", "not applicable"), {}, "pass"),
        (("pass", "fail", "error"), {}, "fail"),
        (("pass", "error"), {}, "error"),
        (("not applicable",), {}, "not applicable"),
        ((), {}, "not applicable"),
    ],
)
def test_the_sign_of_a_run_is_its_worst_criterion(demo, outcomes, changes, expected):
    assert overall(_of(demo, outcomes, changes)) == expected


def test_a_known_failure_does_not_fail_a_run(demo):
    known = {"known_failure": "its mirror skew is known", "known_range": (0.4, 0.6), "as_known": True}
    document = _of(demo, ("pass", "fail"), {}, **known)
    assert overall(document) == "pass"
    assert "(known)" in render_sections(document, {})
    assert "Known failure, with a value from 0.400 to 0.600: its mirror skew is known" in render_sections(document, {})


def test_a_known_failure_outside_its_range_fails_a_run_also_if_it_passes(demo):
    outside = {"known_failure": "its mirror skew is known", "known_range": (0.4, 0.6), "as_known": False}
    for outcome in ("pass", "fail", "inconclusive"):
        document = _of(demo, (outcome,), {}, **outside)
        assert document.summary.status == "fails"
        assert "1 outside the range of a known failure" in document.summary.sentence


@pytest.mark.parametrize(
    ("outcomes", "changes", "status", "sentence"),
    [
        (("not applicable",), {}, "not audited", "Nothing was judged: this model does not read drawn scenes."),
        (("not applicable",), {"gate": True}, "not audited", "Does not pass the gate: nothing was judged: this"),
        (("inconclusive", "not applicable"), {}, "undecided", "Nothing was decided: of 2 criteria, 1 inconclusive"),
        (("inconclusive",), {"gate": True}, "fails", "Does not pass the gate: the one criterion, 1 inconclusive."),
        (("pass", "not applicable"), {}, "holds", "Holds: of 2 criteria, 1 passed, 1 not applicable."),
        (("pass", "inconclusive"), {}, "undecided", "No criterion failed, but not all is decided: of 2"),
        (("fail", "pass"), {}, "fails", "Fails: of 2 criteria, 1 failed, 1 passed."),
        (("error",), {}, "error", "Fails: the one criterion, 1 could not be computed."),
    ],
)
def test_a_run_and_its_finding_have_a_status(demo, outcomes, changes, status, sentence):
    document = _of(demo, outcomes, changes, reason="this model does not read drawn scenes")
    assert document.summary.status == status
    assert document.summary.sentence.startswith(sentence)
    assert status in render_sections(document, {}) or changes


def test_competence_alone_is_no_evidence_about_a_claim(demo):
    """That the model can read the stimuli decides nothing unless it cannot."""
    alone = _of(demo, ("pass",), {}, competence=True)
    assert not alone.decided
    assert alone.findings[0].status == alone.summary.status == "not audited"
    assert "Holds" not in alone.summary.sentence
    assert _of(demo, ("fail",), {}, competence=True).summary.status == "fails"


def test_a_finding_that_was_not_audited_is_named_with_its_reason(demo):
    reason = "this model does not read drawn scenes; use --data"
    first, *others = demo.document().findings
    unread = tuple(c.model_copy(update={"outcome": "not applicable", "reason": reason}) for c in first.criteria)
    document = _rebuilt(demo.document(), (finding_record(_finding(first), "albef", unread), *others))
    assert document.findings[0].status == "not audited"
    assert document.findings[0].reason == reason
    page = render_sections(document, {})
    assert "not audited" in page
    assert reason in page


def _of(demo, outcomes, changes, **of_criteria):
    document = demo.document(**changes)
    finding, criterion = document.findings[0], document.findings[0].criteria[0]
    criteria = tuple(criterion.model_copy(update={"outcome": outcome, **of_criteria}) for outcome in outcomes)
    return _rebuilt(document, (finding_record(_finding(finding), "albef", criteria),))


def _finding(record):
    return Finding(record.id, record.claim, record.source, record.failing)


def _rebuilt(document, findings):
    fields = {name: getattr(document, name) for name in set(type(document).model_fields) - {"findings", *SUMMARIES}}
    return RunDocument.of(findings=findings, **fields)


def test_the_windows_title_names_the_models():
    assert report_title(["albef", "uniter"]) == "albef, uniter · vlaudit"
