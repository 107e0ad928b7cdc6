"""Every distinct input runs once, and neither batches nor order nor merging change a table."""

from dataclasses import dataclass, replace

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from vlaudit.errors import RefusedSample
from vlaudit.execution.parts import Parts
from vlaudit.execution.plan import plan, plan_parts
from vlaudit.execution.run import run
from vlaudit.findings import Design
from vlaudit.measures import WordProbability
from vlaudit.measures.base import Measure, Unit, crossed
from vlaudit.models.base import ForwardRequest
from vlaudit.models.probe_samples import probe_samples
from vlaudit.models.toy import GroundedToy
from vlaudit.perturbations import Blank, Mirror
from vlaudit.samples import Image, Slot
from vlaudit.selection import OneSlot
from vlaudit.traces import Attention, Match, RegionClasses, Words

RNG = np.random.default_rng(0)
THREE = ((), (Mirror(),), (Blank(),))


@dataclass(frozen=True)
class One(Measure):
    """One number or array, `name`, of every condition; `picky` refuses the units of these samples."""

    name: str
    picky: tuple[str, ...] = ()

    def columns(self, conditions):
        return crossed(conditions, [self.name])

    def refusal(self, unit):
        return "it is picky" if unit.sample.id in self.picky else None

    def reduce(self, batch):
        return [{self.name: self.number(item)} for item in batch]


@dataclass(frozen=True)
class MatchOf(One):
    """The match of every condition."""

    name: str = "match"
    needs = frozenset({Match()})

    def number(self, item):
        return float(item.trace[Match()])


@dataclass(frozen=True)
class Mass(One):
    """Attention of words on each region in the first head, one array per unit."""

    name: str = "mass"
    needs = frozenset({Attention("text", "image")})

    def number(self, item):
        return item.trace[Attention("text", "image")][0, 0].sum(0).numpy()[:4]


@dataclass(frozen=True)
class Slots:
    """Every slot of a sample is a candidate of its one unit, in order."""

    columns = frozenset({"kind"})

    def __call__(self, samples, seed):
        for sample in samples:
            yield tuple(
                Unit(f"{sample.id}/{slot.kind}", sample.asking(slot), {"kind": slot.kind}) for slot in sample.slots
            )


def named(changes):
    """Return conditions, each named by its perturbations."""
    return {" ".join(type(change).__name__.lower() for change in some) or "plain": some for some in changes}


def matching(name="matching", changes=THREE, **settings):
    return Design(name, Slots(), named(changes), MatchOf(), **settings)


def masses(name="mass", changes=THREE):
    return Design(name, Slots(), named(changes), Mass())


@dataclass(frozen=True)
class Refusing:
    """Refuses the samples whose tested slot is of these kinds."""

    kinds: tuple[str, ...]
    drawn_for = "id"

    def __call__(self, sample, rng):
        if sample.asked_slot.kind in self.kinds:
            raise RefusedSample(sample.id, f"it has no side, as {sample.asked_slot.kind}")
        return sample


class Counting(GroundedToy):
    """A toy that records its requests and can run out of memory."""

    def __init__(self, most=10**9):
        super().__init__()
        self.asked, self.sizes, self.most = [], [], most

    def forward(self, requests):
        if len(requests) > self.most:
            raise torch.OutOfMemoryError("too many")
        self.asked += [request.key for request in requests]
        self.sizes.append(len(requests))
        return super().forward(requests)


def samples(count=4):
    found = probe_samples(GroundedToy())
    return [replace(found[i % 4], id=f"s{i}", image_id=f"i{i}", caption=found[i % 4].caption) for i in range(count)]


def frames(measured):
    return {design: table.frame.to_dict(as_series=False) for design, table in measured.tables.items()}


def test_equal_inputs_run_once_with_their_readings_united():
    other = masses(changes=((), (Mirror(),)))
    toy = Counting()
    planned = plan([matching(), matching("again"), other], samples(), toy, 0)
    measured = run(planned, toy)
    assert planned.requested == 4 * (3 + 3 + 2)
    assert len(toy.asked) == len(set(toy.asked)) == measured.passes == 4 * 3
    assert frames(measured)["matching"] == frames(measured)["again"]


def test_the_table_equals_that_of_single_requests():
    """Reference without plan, batches or merging."""
    toy, rows = GroundedToy(), []
    for sample in samples():
        image = {"plain": sample, "mirror": Mirror()(sample, RNG), "blank": Blank()(sample, RNG)}
        ask = {name: toy.forward([ForwardRequest(s, frozenset({Match()}))])[0] for name, s in image.items()}
        rows.append({f"{name}.match": float(trace[Match()]) for name, trace in ask.items()})
    table = run(plan([matching()], samples(), toy, 0), toy).tables["matching"]
    for name in rows[0]:
        assert table[name].tolist() == [row[name] for row in rows]
    assert table["kind"].tolist() == ["object"] * 4
    assert table.images.tolist() == ["i0", "i1", "i2", "i3"]


@settings(max_examples=20)
@given(st.permutations(range(6)), st.sampled_from([None, 1, 2, 5, 64]))
def test_neither_order_nor_batch_size_change_a_row(order, batch_size):
    plain = samples(6)
    designs = [matching(), masses()]
    expected = run(plan(designs, plain, GroundedToy(), 0), GroundedToy(), batch_size=3)
    shuffled = plan(designs[::-1], [plain[i] for i in order], GroundedToy(), 0)
    given_ = run(shuffled, GroundedToy(), batch_size=batch_size)
    for design in designs:
        one, other = (m.tables[design.id].frame.sort("unit_id") for m in (expected, given_))
        assert one.equals(other)


def test_arrays_come_back_as_arrays():
    toy = GroundedToy()
    table = run(plan([masses(changes=((),))], samples(), toy, 0), toy).tables["mass"]
    assert table["plain.mass"].shape == (4, 4)


def test_memory_that_runs_out_halves_the_batch_and_loses_nothing():
    toy = Counting(most=3)
    measured = run(plan([matching()], samples(9), toy, 0), toy, batch_size=16)
    assert len(measured.tables["matching"]) == 9
    assert len(toy.asked) == len(set(toy.asked))
    assert max(toy.sizes) <= 3


def test_one_sample_that_does_not_fit_is_an_error():
    with pytest.raises(MemoryError, match="one sample alone does not fit"):
        run(plan([matching()], samples(1), Counting(), 0), Counting(most=0), batch_size=4)


def two_slots(count=4):
    """Samples whose first slot is of kind "object" and whose second is of kind "other"."""
    return [
        replace(one, slots=(*one.slots, Slot(one.phrases[2].start, one.phrases[2].end, "other")))
        for one in samples(count)
    ]


def kinds_of(design, count=4):
    toy = GroundedToy()
    table = run(plan([design], two_slots(count), toy, 0), toy).tables[design.id]
    return table["kind"].tolist() if len(table) else [], table.planned, dict(table.refused)


def refusing(*kinds, **settings):
    return matching(changes=((), (Refusing(kinds),)), **settings)


def test_the_first_candidate_whose_conditions_can_be_made_becomes_the_unit():
    assert kinds_of(refusing()) == (["object"] * 4, 4, {})
    assert kinds_of(refusing("object")) == (["other"] * 4, 4, {})


def test_without_one_the_unit_is_refused_with_the_reason_of_the_first_and_counted():
    assert kinds_of(refusing("object", "other")) == ([], 4, {"it has no side, as object": 4})


def test_an_optional_design_leaves_it_out_uncounted():
    assert kinds_of(refusing("object", "other", optional=True)) == ([], 0, {})
    assert kinds_of(refusing("object", optional=True)) == (["other"] * 4, 4, {})


def test_refusals_of_the_measure_precede_the_conditions():
    toy = Counting()
    design = replace(refusing("object"), measure=MatchOf(picky=("s1",)))
    planned = plan([design], two_slots(), toy, 0)
    assert dict(planned.refused["matching"]) == {"it is picky": 1}
    assert sorted(planned.units["matching"]) == ["s0/other", "s2/other", "s3/other"]


def test_units_carry_the_seed_of_the_run():
    planned = plan([matching()], samples(), GroundedToy(), 7)
    assert {unit.seed for unit in planned.units["matching"].values()} == {7}


def test_conditions_are_made_once_per_unit():
    """By one plan, and by a second one that is given what the first made."""
    made = []

    @dataclass(frozen=True)
    class Noting:
        drawn_for = "id"

        def __call__(self, sample, rng):
            made.append(sample.id)
            return sample

    design = matching(changes=((Noting(),),))
    parts = Parts(samples(), 0, keep=True)
    plans = [list(plan_parts([design], parts, GroundedToy())) for _ in range(2)]
    assert made == ["s0", "s1", "s2", "s3"]
    assert plans[0] == plans[1] == [plan([design], samples(), GroundedToy(), 0)]


@given(st.integers(1, 12), st.integers(1, 5))
def test_parts_give_the_rows_of_one_plan(count, images):
    toy, designs = GroundedToy(), [matching(), masses(), matching("again")]
    whole = run(plan(designs, samples(count), toy, 0), toy, batch_size=3)
    parts = list(plan_parts(designs, Parts(samples(count), 0, images=images), toy))
    done = run(parts, toy, batch_size=3)
    assert [one.share for one in parts] == sorted({one.share for one in parts})
    assert parts[-1].share == 1
    assert (done.requested, done.units) == (whole.requested, whole.units)
    assert whole.passes <= done.passes  # the four pictures recur in later parts
    for name, table in whole.tables.items():
        assert done.tables[name].frame.equals(table.frame)
        assert (done.tables[name].planned, done.tables[name].refused) == (table.planned, table.refused)


def test_readings_that_the_model_lacks_are_refused_with_the_reason():
    @dataclass(frozen=True)
    class Classes(MatchOf):
        """A measure with a reading that the capabilities do not declare."""

        def readings(self, sample):
            return frozenset({RegionClasses()})

    toy = GroundedToy()
    planned = plan([matching(), replace(matching("r"), measure=Classes())], samples(), toy, 0)
    assert sum(planned.refused["r"].values()) == 4
    assert "RegionClasses" in next(iter(planned.refused["r"]))
    assert len(run(planned, toy).tables["r"]) == 0


def test_a_design_that_the_model_does_not_support_is_not_planned():
    """Its conditions are not made either; the criterion gives the reason once."""
    unsupported = replace(matching("r"), measure=replace(MatchOf(), picky=("s0",)), not_for={"single-stream": "no"})
    planned = plan([unsupported, matching()], samples(), GroundedToy(), 0)
    assert (planned.units["r"], planned.refused["r"]) == ({}, {})
    assert len(planned.units["matching"]) == 4


class Looking(GroundedToy):
    """Decodes every image, as real models do."""

    def forward(self, requests):
        for request in requests:
            request.sample.image.pixels()
        return super().forward(requests)


def broken_image():
    raise RefusedSample("i2", "the file ends too early")


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_broken_image_costs_its_units_and_nothing_else(batch_size):
    good = samples()
    good[2] = replace(good[2], image=Image("broken", 8, 8, broken_image))
    table = run(plan([matching()], good, Looking(), 0), Looking(), batch_size=batch_size).tables["matching"]
    assert dict(table.refused) == {"the file ends too early": 1}
    assert table["unit_id"].tolist() == ["s0/object", "s1/object", "s3/object"]


def test_masked_words_run_too():
    """The readings may depend on the sample: they are those of its slot's choices."""
    (one,) = samples(1)
    slot = replace(one.slots[0], answer="dog", choices=("red", "dog", "blue"))
    design = Design("w", OneSlot("object"), {"plain": ()}, WordProbability())
    toy = GroundedToy()
    planned = plan([design], [replace(one, slots=(slot,))], toy, 0)
    assert [one.request.readings for one in planned.inputs] == [{Words(slot.choices)}]
    table = run(planned, toy).tables["w"]
    assert table["plain.answer"].tolist() == ["dog"]
    assert table["plain.correct"].tolist() == [True]
    assert set(table.frame.columns) == design.columns


def test_no_samples_give_an_empty_plan():
    assert plan([matching()], [], GroundedToy(), 0).inputs == ()


@dataclass(frozen=True)
class Named:
    """A perturbation with a `repr` that hides its setting."""

    word: str
    drawn_for = None

    def __repr__(self):
        return "Named()"

    def __call__(self, sample, rng):
        return replace(sample, caption=f"{sample.caption} {self.word}")


def test_perturbations_that_differ_are_never_taken_for_each_other():
    changes = {"a": (Named("red"),), "b": (Named("blue"),), "c": (Named("red"), Named("blue"))}
    (one,) = Parts(samples(1), 0).requests(Design("named", Slots(), changes, MatchOf()), 0)
    added = {
        name: request.sample.caption.removeprefix(one.unit.sample.caption) for name, request in one.requests.items()
    }
    assert added == {"a": " red", "b": " blue", "c": " red blue"}
