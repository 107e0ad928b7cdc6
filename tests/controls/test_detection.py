"""`benchmarks.detection`: rows kept on disk are those of a run, and are judged as a run is."""

import argparse
from dataclasses import replace

import pytest
from polars.testing import assert_frame_equal

from benchmarks import detection, pools
from vlaudit.auditing.models import Models
from vlaudit.auditing.options import ModelOptions, Options
from vlaudit.auditing.run import Run
from vlaudit.auditing.sources import find_cases
from vlaudit.models.base import ForwardRequest
from vlaudit.models.toy import GroundedToy
from vlaudit.thresholds import read_thresholds
from vlaudit.traces import Match, Words

SCENES = 8


@pytest.fixture(scope="module")
def cases():
    return [case for case in find_cases() if case.finding.id == "text_dominance"]


@pytest.fixture(scope="module")
def subjects():
    return [
        one for one in pools.subjects("albef", ["exchanged-match", "nan", "cut-attention"]) if one.name != "second-seed"
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, subjects, cases):
    """Measure two chunks of four scenes each, of one finding."""
    folder = tmp_path_factory.mktemp("pool")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pools, "CHUNK", SCENES // 2)
        patch.setattr(pools, "find_cases", lambda: cases)
        for chunk in range(2):
            assert pools.measure(subjects, folder, chunk, SCENES // 2) == {}
    return folder


def test_rows_are_those_of_a_run(folder, subjects, cases):
    options = Options(
        (ModelOptions("albef", "albef", device="cpu"),), f"scenes:seed={pools.SEED},n={SCENES // 2}", limit=SCENES // 2
    )
    run = Run.prepare(options)
    run.select(("albef", case) for case in cases)
    pool = pools.read(folder, subjects[0])
    first = pool.at(pool.images[: SCENES // 2])
    for design in {case.design.id: case.design for case in cases}.values():
        if design.unsupported(run.models["albef"].capabilities) is None:
            rows = run.table("albef", design).frame
            assert len(first[design.id]) == len(rows)
            if len(rows):  # a frame without rows has no columns
                assert_frame_equal(first[design.id].frame, rows, rel_tol=1e-3, abs_tol=1e-4)


def test_a_pool_is_measured_once(folder, subjects, monkeypatch):
    monkeypatch.setattr(pools, "load", None)
    assert pools.measure(subjects, folder, 0, SCENES // 2) == {}


def test_a_part_has_the_rows_of_its_images(folder, subjects):
    pool = pools.read(folder, subjects[0])
    assert len(set(pool.images)) == SCENES
    part = pool.at(pool.images[1:4])
    for design, table in part.items():
        whole = pool.tables[design].frame
        assert_frame_equal(table.frame, whole.filter(whole["image_id"].is_in(pool.images[1:4])))
        assert table.planned == len(table) + sum(table.refused.values())


def outcomes(folder, subject, cases, size=SCENES):
    models = Models([detection.model_options(subject)])
    models.samples = list(detection.Scenes(0, limit=4))
    thresholds = read_thresholds(None, known_models=["albef"], known_data=["scenes"])
    return detection.Judge(subject, cases, size).outcomes(pools.read(folder, subject), models, thresholds, 0)


def test_every_criterion_of_a_control_is_judged(folder, subjects, cases):
    found = {subject.name: outcomes(folder, subject, cases) for subject in subjects}
    assert set(found["healthy"].criteria) == {case.id for case in cases if getattr(case, "only", None) != "published"}
    assert found["healthy"].criteria["text_dominance.vision_effect"] in ("pass", "inconclusive")
    assert set(found["nan"].criteria.values()) == {"error", "not applicable"}
    assert not any(one.passed for name, one in found.items() if name != "healthy")


def test_the_page_lists_what_a_control_must_fail(subjects):
    names = {"healthy": "pass", "exchanged-match": "fail", "nan": "error", "cut-attention": "not applicable"}
    name = "text_dominance.image_use[match]"
    rates = [
        detection.Rates(
            one,
            50,
            (
                detection.Outcomes(
                    {name: names[one.name], "other": "pass"}, one.control is not None, one.control is None
                ),
            )
            * 4,
        )
        for one in subjects
    ]
    options = argparse.Namespace(model="albef", pool=8, subsets=4, looks=1)
    text = detection.page(rates, {"untrained": "--control untrained: not available"}, options)
    assert "| healthy | 50 | 0% | 100% |" in text
    assert f"| exchanged-match | takes matches for mismatches | 50 | 0% | 100% ({name}) |" in text
    assert f"| `{name}` | 0/0/100 | **100/0/0** | **100/0/0** | **-** |" in text
    assert "| `other` | 0/0/100 | 0/0/100 | **0/0/100** | 0/0/100 |" in text
    assert "- --control untrained: not available" in text


def test_equal_requests_run_once_until_they_are_forgotten():
    class Counting(GroundedToy):
        passes = 0

        def forward(self, requests):
            self.passes += len(requests)
            return super().forward(requests)

    toy = Counting()
    remembering = pools._Remembering(toy)
    sample = next(iter(detection.Scenes(0, limit=1)))
    slot = next(slot for slot in sample.slots if len(slot.choices) > 1)
    one = ForwardRequest(sample.hiding(slot), frozenset({Words(slot.choices)}))
    other = replace(one, readings=frozenset({Match()}))
    remembering.forward([one, one, other])
    remembering.forward([other, one])
    assert toy.passes == 2
    remembering.forget()
    remembering.forward([one])
    assert toy.passes == 3
