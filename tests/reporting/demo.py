"""A complete report from made-up numbers, for visual inspection.

    python tests/reporting/demo.py FOLDER

writes FOLDER/demo.html and FOLDER/demo.json. The tests use its parts.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from markupsafe import Markup

from vlaudit.deciding import compare
from vlaudit.findings import Criterion, Design, Finding, Verdict, not_applicable
from vlaudit.measures import MatchProbability
from vlaudit.measures.base import Unit
from vlaudit.perturbations import Cover, Mirror
from vlaudit.reporting.document import (
    Counts,
    DataRecord,
    RunDocument,
    Subject,
    Versions,
    criterion_record,
    finding_record,
)
from vlaudit.reporting.exhibits import (
    Bars,
    Confusion,
    Curves,
    ExtremeSamples,
    HeadMap,
    Pairs,
    draw,
)
from vlaudit.reporting.files import write_whole
from vlaudit.reporting.html import ResultRow, ResultTable, render_page
from vlaudit.samples import COLORS
from vlaudit.selection import EverySample
from vlaudit.statistics.base import Estimate, NoEstimate
from vlaudit.tables import Table

COUNT = 60
ALPHA = 0.05


def estimate(value, reach, clusters=400, **rest):
    return Estimate(
        value, value - reach, value + reach, ALPHA / 17, rest.pop("units", clusters), clusters, "bootstrap", 0, rest
    )


def judged(finding, name, found, why="Chosen before looking: a tenth of the way to a model that sees.", **bound):
    criterion = Criterion(name, why, ALPHA / 17, **bound)
    if isinstance(found, NoEstimate):
        verdict = Verdict(criterion, "error", found.reason)
    else:
        verdict = (
            not_applicable(criterion, found) if isinstance(found, str) else compare(found, criterion, 0.4, needed=2700)
        )
    return criterion_record(verdict, finding, duration=0.2)


DESIGN = Design(
    "demo", EverySample(), {"shown": (), "covered": (Cover(),), "mirrored": (Mirror(),)}, MatchProbability()
)
"""Its conditions make the pictures; the table is made up."""


def units(count=COUNT):
    """Units on drawn scenes, each about a hidden slot that is linked to a region."""
    from vlaudit.datasets.scenes import Scenes

    made = {}
    for sample in Scenes(3, limit=count):
        slot = next((slot for slot in sample.slots if slot.region_ids), None)
        if slot is not None:
            unit = Unit(f"{sample.id}:{slot.kind}", sample.hiding(slot).asking(slot))
            made[unit.id] = unit
    return made


def table(made):
    """A made-up row for every unit."""
    rng = np.random.default_rng(0)
    rows = []
    for unit in made.values():
        visible = float(np.clip(rng.beta(6, 2), 0, 1))
        truth = COLORS[rng.integers(len(COLORS) - 1)]
        left = float(rng.beta(5, 2))
        layers = np.linspace(0.05, 0.6, 6)
        rows.append(
            {
                "unit_id": unit.id,
                "image_id": unit.image_id,
                "visible": visible,
                "visible_hint": min(visible + 0.08 * rng.random(), 1.0),
                "blocked": visible * 0.25,
                "blocked_hint": visible * 0.55,
                "effect": visible * 0.75 - 0.3 * rng.random(),
                "left": left,
                "right": 1 - left,
                "mirrored_left": 1 - left + 0.1 * (rng.random() - 0.5),
                "mirrored_right": left,
                "truth": truth,
                "answer": truth if rng.random() < 0.7 else COLORS[rng.integers(len(COLORS))],
                "moves": layers + 0.05 * rng.normal(size=6),
                "control": 0.04 + 0.02 * rng.normal(size=6),
                "heads": 0.5 + 0.1 * rng.normal(size=(6, 12)) + np.outer(layers, np.eye(12)[3]) * 0.6,
            }
        )
    return Table.of(rows)


FINDINGS = (
    (
        Finding(
            "text_dominance",
            "The image matters at least as much as a hint in the caption.",
            "ALBEF challenges, Figure 1; VALUE 3.2",
            "It completes captions from what is usually said: a product that relies on it will describe things that "
            "the picture does not show.",
            {"vision_effect": "0.56 (one example)", "hint effect": "-0.19 (one example)"},
            (
                Bars(
                    "Probability of the hidden word",
                    DESIGN,
                    {
                        "visible": "visible",
                        "visible, with hint": "visible_hint",
                        "blocked": "blocked",
                        "blocked, with hint": "blocked_hint",
                    },
                    {
                        "Object visible": ("visible", "visible, with hint"),
                        "Object blocked": ("blocked", "blocked, with hint"),
                    },
                ),
                ExtremeSamples(
                    "Five samples where blocking the object changed least",
                    DESIGN,
                    "effect",
                    {"p visible": "visible", "p blocked": "blocked", "effect": "effect"},
                    pictures={"shown": "shown", "blocked": "covered"},
                ),
            ),
        ),
        (
            ("vision_effect", estimate(0.512, 0.041), {"at_least": 0.1}),
            ("image_over_hint", estimate(0.214, 0.05), {"at_least": 0.0}),
            ("match_needs_object", estimate(0.07, 0.04), {"at_least": 0.05}),
        ),
    ),
    (
        Finding(
            "mirror_skew",
            "Mirroring the image flips the answer to left and right, and no side is preferred.",
            "ALBEF challenges, Figure 3",
            "It guesses sides: instructions such as 'the cup on the left' will be followed at random.",
            {"side_accuracy": "not reported over a data set"},
            (
                Pairs(
                    "Original and mirrored, with both probabilities",
                    DESIGN,
                    {"left": "left", "right": "right"},
                    {"left": "mirrored_left", "right": "mirrored_right"},
                    pictures={"original": "shown", "mirrored": "mirrored"},
                ),
            ),
        ),
        (
            ("side_accuracy", estimate(0.61, 0.06), {"at_least": 0.8}),
            ("mirror_consistency", estimate(0.55, 0.07), {"at_least": 0.7}),
            ("side_preference", estimate(0.02, 0.05), {"within": (-0.1, 0.1)}),
            ("sideless_invariance", estimate(0.01, 0.008), {"at_most": 0.05}),
            ("clause_order_invariance", NoEstimate("column 'swapped.p' holds 3 NaN"), {"at_most": 0.05}),
        ),
    ),
    (
        Finding(
            "color_bias",
            "Objects are named by what they are and colours by what they look like.",
            "ALBEF challenges, Figure 2",
            "It answers colour questions by habit: bananas stay yellow in every picture.",
            {},
            (
                Confusion("The colour that was answered, by true colour", DESIGN, "truth", "answer"),
                ExtremeSamples("Five samples named by habit", DESIGN, "effect", order="highest"),
            ),
        ),
        (
            ("object_under_gray", estimate(0.01, 0.02), {"at_least": -0.05}),
            (
                "recolor_follows_image",
                "the model cannot read these stimuli: masked colour accuracy 0.41 [0.36, 0.46], at least 0.6 needed",
                {"at_least": 0.5},
            ),
        ),
    ),
    (
        Finding(
            "fusion_trend",
            "The image changes what the model makes of the text, more so with depth.",
            "VALUE 3.1, Table 1",
            "Its layers do not mix the modalities: an image can be swapped without changing the text states.",
            {"nmi_falls": "0.48 at the first layer, 0.30 at the last (UNITER)"},
            (
                Curves(
                    "Change of the text states when the image is replaced",
                    DESIGN,
                    {"this model": "moves", "unfused control": "control"},
                    unit="relative change",
                    first=6,
                ),
            ),
        ),
        (("image_moves_text", estimate(0.58, 0.03), {"at_least": 0.2}),),
    ),
    (
        Finding(
            "coref_heads",
            "Some heads link a phrase to its region.",
            "VALUE 3.3.2, Table 2",
            "No head links words to things: do not read its attention as grounding.",
            {"links_above_random (people)": "0.68 (UNITER)"},
            (
                HeadMap(
                    "Phrases linked to their region, by head", DESIGN, "heads", first_layer=6, unit="share of phrases"
                ),
            ),
        ),
        (
            (
                "links_above_random[people-text_image]",
                estimate(0.31, 0.06, 380, units=611, best_head="layer 11, head 3", naive_maximum=0.41),
                {"at_least": 0.1},
            ),
            ("links_above_random[animals-text_image]", estimate(0.24, 0.09, 151), {"at_least": 0.1}),
        ),
    ),
)


def document(findings=FINDINGS, **changes):
    """A whole made-up document."""
    records = tuple(
        finding_record(
            finding,
            "albef",
            tuple(judged(finding.id, name, found, **bound) for name, found, bound in criteria),
            Counts(planned=400, measured=396, refused={"the hidden word has several pieces": 4}),
        )
        for finding, criteria in findings
    )
    fields = {
        "versions": Versions(vlaudit="0.1.0", torch="2.13.0", transformers="5.1", python="3.11.2"),
        "started": datetime(2026, 11, 21, 9, 30, tzinfo=UTC),
        "seconds": 71.4,
        "command": "pytest audits/ --model albef",
        "subject": (
            Subject(
                family="albef",
                checkpoint="bundled",
                fingerprint="sha256:" + "3f9a1c0b" * 8,
                layout="safetensors, pretraining, 96 px",
                vocabulary="next to the checkpoint",
                keys="412 tensors, all matched",
                device="cpu",
                dtype="float32",
            ),
        ),
        "data": DataRecord(
            spec="scenes",
            description="scenes: 400 drawn from seed 0",
            seed=0,
            limit=400,
            counts=Counts(planned=2400, measured=2380, refused={"no place is free for the cover": 20}),
        ),
        "alpha": ALPHA,
        "m": 17,
    }
    return RunDocument.of(findings=records, **(fields | changes))


def document_of_several(families, **changes):
    """The made-up document as if several models had been found to be the same, but that the last one fails a lot."""
    one = document(**changes)
    fields = {name: getattr(one, name) for name in set(type(one).model_fields) - {"findings", "summary", "summaries"}}
    fields["subject"] = tuple(one.subject[0].model_copy(update={"family": family}) for family in families)
    findings = tuple(
        finding.model_copy(
            update={
                "model": family,
                "status": "fails" if family == families[-1] else finding.status,
                "criteria": tuple(
                    criterion.model_copy(update={"outcome": "fail"} if family == families[-1] else {})
                    for criterion in finding.criteria
                ),
            }
        )
        for family in families
        for finding in one.findings
    )
    return RunDocument.of(findings=findings, **fields)


def exhibits_of_several(families, findings=FINDINGS):
    """Every exhibit drawn from the made-up table, for every model."""
    made = units()
    drawn = table(made)
    of_one = {finding.id: draw(finding.exhibits, {DESIGN.id: (drawn, made)}, several=True) for finding, _ in findings}
    return {(finding_id, family): drawn for family in families for finding_id, drawn in of_one.items()}


def exhibits(findings=FINDINGS):
    """Every exhibit drawn from the made-up table."""
    made = units()
    drawn = table(made)
    return {(finding.id, "albef"): draw(finding.exhibits, {DESIGN.id: (drawn, made)}) for finding, _ in findings}


TESTS = ResultTable(
    (Markup("<th>Result</th>"), Markup("<th>Test</th>")),
    tuple(
        ResultRow(outcome, (Markup("<td>{}</td>").format(outcome), Markup("<td>{}</td>").format(test)), log)
        for outcome, test, log in (
            ("passed", "test_demo.py::test_passes[vision_effect]", ""),
            ("passed", "test_demo.py::test_passes[<img src=x onerror=alert(2)>]", ""),
            ("failed", "test_demo.py::test_fails", "assert 1 == 2, <script>alert(3)</script>"),
            ("xfailed", "test_demo.py::test_inconclusive", "about 800 images would decide it"),
        )
    ),
)


def write(folder):
    """Write the whole report; return its path."""
    path = Path(folder).resolve() / "demo.html"
    write_whole(path, render_page(document(), exhibits(), TESTS))
    document().to_json(path.with_suffix(".json"))
    return path


if __name__ == "__main__":
    from vlaudit.reporting.terminal import verdict_table

    print(write(sys.argv[1]))  # noqa: T201 (a command prints)
    print("\n".join(verdict_table(document(), 80, "reports/demo.html")))  # noqa: T201
