"""Every distinct input runs once, and neither batches nor order nor merging change a table."""

import io
from dataclasses import dataclass, replace

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from vlaudit.errors import RefusedSample, UsageError
from vlaudit.execution.batches import BatchSize, in_order
from vlaudit.execution.plan import plan
from vlaudit.execution.progress import Progress
from vlaudit.execution.run import run
from vlaudit.findings import Ask, Design
from vlaudit.measures.base import Unit, flat
from vlaudit.models.base import ForwardRequest
from vlaudit.models.probe_samples import probe_samples
from vlaudit.models.toy import GroundedToy
from vlaudit.perturbations import Blank, Mirror
from vlaudit.samples import Image
from vlaudit.traces import Attention, Match, RegionClasses, Words

RNG = np.random.default_rng(0)
THREE = ((), (Mirror(),), (Blank(),))
WORDS = Words(("red", "dog", "blue"))


@dataclass(frozen=True)
class MatchOf:
    """The match of every condition, as it is."""

    def reduce(self, batch):
        return [{"match": float(item.trace[Match()])} for item in batch]

    def row(self, unit, conditions):
        return flat(conditions)


@dataclass(frozen=True)
class Mass:
    """How much the first head's words look at each region, an array a unit."""

    def reduce(self, batch):
        return [{"mass": item.trace[Attention("text", "image")][0, 0].sum(0).numpy()[:4]} for item in batch]

    def row(self, unit, conditions):
        return flat(conditions)


def units(samples, seed):
    for sample in samples:
        yield Unit(f"{sample.id}/{sample.slots[0].kind}", sample, sample.slots[0], {"kind": sample.slots[0].kind})


def asks(*readings, changes=THREE):
    names = [" ".join(type(change).__name__.lower() for change in some) or "plain" for some in changes]
    return lambda unit: {n: Ask(unit.sample, c, frozenset(readings)) for n, c in zip(names, changes, strict=True)}


def matching(name="matching", **settings):
    return Design(name, units, asks(Match(), **settings), MatchOf())


class Counting(GroundedToy):
    """Counts what it is asked, and can be made to fail."""

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
    other = Design("attention", units, asks(Attention("text", "image"), changes=((), (Mirror(),))), Mass())
    toy = Counting()
    planned = plan([matching(), matching("again"), other], samples(), toy, 0)
    measured = run(planned, toy)
    assert planned.asked == 4 * (3 + 3 + 2)
    assert len(toy.asked) == len(set(toy.asked)) == measured.passes == 4 * 3
    assert frames(measured)["matching"] == frames(measured)["again"]


def test_the_table_is_what_asking_one_by_one_gives():
    """A second answer, without plan, batches or merging."""
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
    designs = [matching(), Design("mass", units, asks(Attention("text", "image")), Mass())]
    expected = run(plan(designs, plain, GroundedToy(), 0), GroundedToy(), batch_size=3)
    shuffled = plan(designs[::-1], [plain[i] for i in order], GroundedToy(), 0)
    given_ = run(shuffled, GroundedToy(), batch_size=batch_size)
    for design in designs:
        one, other = (m.tables[design.id].frame.sort("unit_id") for m in (expected, given_))
        assert one.equals(other)


def test_arrays_come_back_as_arrays():
    toy = GroundedToy()
    table = run(
        plan([Design("mass", units, asks(Attention("text", "image"), changes=((),)), Mass())], samples(), toy, 0), toy
    )
    assert table.tables["mass"]["plain.mass"].shape == (4, 4)


def test_memory_that_runs_out_halves_the_batch_and_loses_nothing():
    toy = Counting(most=3)
    measured = run(plan([matching()], samples(9), toy, 0), toy, batch_size=16)
    assert len(measured.tables["matching"]) == 9
    assert len(toy.asked) == len(set(toy.asked))
    assert max(toy.sizes) <= 3


def test_one_sample_that_does_not_fit_is_said_so():
    with pytest.raises(MemoryError, match="one sample alone does not fit"):
        run(plan([matching()], samples(1), Counting(), 0), Counting(most=0), batch_size=4)


@pytest.mark.parametrize("size", [0, -3])
def test_a_batch_size_below_one_is_refused(size):
    with pytest.raises(UsageError, match=f"at least 1, got {size}"):
        BatchSize(size)


def test_the_size_grows_while_that_pays_and_settles():
    size = BatchSize()
    rates = {8: 20, 16: 40, 32: 41, 64: 41}
    seen = []
    for _ in range(6):
        seen.append(size.now)
        size.ran(rates[size.now])
    assert seen == [8, 16, 32, 64, 16, 16]


def test_one_slow_batch_does_not_end_the_search():
    size, rates = BatchSize(), {8: 20, 16: 19, 32: 60, 64: 80, 128: 90}
    seen = []
    for _ in range(6):
        seen.append(size.now)
        size.ran(rates[size.now])
    assert seen == [8, 16, 32, 64, 128, 128]


def test_a_unit_that_cannot_be_asked_is_refused_with_the_reason_and_counted():
    def no_mirror(sample, rng):
        raise RefusedSample(sample.id, "it has no side")

    def sometimes(unit):
        good = {"plain": Ask(unit.sample, (), frozenset({Match()}))}
        refuse = type("Never", (), {"drawn_for": "id", "__call__": lambda self, s, rng: no_mirror(s, rng)})()
        return good | ({"odd": Ask(unit.sample, (refuse,), frozenset({Match()}))} if unit.sample.id == "s1" else {})

    toy = GroundedToy()
    table = run(plan([Design("d", units, sometimes, MatchOf())], samples(), toy, 0), toy).tables["d"]
    assert (table.planned, len(table), dict(table.refused)) == (4, 3, {"it has no side": 1})


def test_what_the_model_cannot_answer_is_refused_with_its_reason():
    toy = GroundedToy()
    planned = plan(
        [matching("d", changes=((),)), Design("r", units, asks(RegionClasses()), MatchOf())], samples(), toy, 0
    )
    assert sum(planned.refused["r"].values()) == 4
    assert "RegionClasses" in next(iter(planned.refused["r"]))
    assert len(run(planned, toy).tables["r"]) == 0


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


def test_heavy_and_long_inputs_come_first():
    toy = GroundedToy()
    planned = plan(
        [
            matching(changes=((),)),
            Design("mass", units, asks(Attention("text", "image"), changes=((Blank(),),)), Mass()),
        ],
        samples(),
        toy,
        0,
    )
    kinds = [any(isinstance(r, Attention) for r in p.request.readings) for p in in_order(planned.inputs)]
    assert kinds == sorted(kinds, reverse=True)


def test_progress_moves_on_a_terminal_and_is_silent_without_a_stream():
    class Terminal(io.TextIOWrapper):
        def isatty(self):
            return True

        def getvalue(self):
            self.flush()
            return self.buffer.getvalue().decode()

    stream = Terminal(io.BytesIO())
    progress = Progress(10, stream, label="albef")
    progress._said -= 1
    progress.advance(4)
    assert "albef 4/10 passes" in stream.getvalue()
    progress.close()
    assert stream.getvalue().endswith("\x1b8\x1b[K")  # back where the line began, and nothing behind it
    quiet = Progress(10)
    quiet.advance(4)
    assert "4/10" in str(quiet)
    log = io.TextIOWrapper(io.BytesIO())
    lines = Progress(10, log)
    lines.advance(1)
    assert log.tell() == 0
    lines._said -= 31
    lines.advance(1)
    log.seek(0)
    assert log.read().count("\n") == 1


def test_masked_words_run_too():
    def hidden(unit):
        return {"plain": Ask(unit.sample.hiding(unit.slot), (), frozenset({WORDS}))}

    @dataclass(frozen=True)
    class Top:
        def reduce(self, batch):
            return [{"top": WORDS.words[int(item.trace[WORDS][0].argmax())]} for item in batch]

        def row(self, unit, conditions):
            return flat(conditions)

    toy = GroundedToy()
    table = run(plan([Design("w", units, hidden, Top())], samples(1), toy, 0), toy).tables["w"]
    assert table["plain.top"].tolist() == ["dog"]
    assert isinstance(table["plain.top"], np.ndarray)
