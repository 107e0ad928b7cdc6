"""Units are chosen by the sample, the seed and what can be asked; nobody's choice depends on anybody else's."""

from dataclasses import replace

import pytest
from vlaudit.designs import (
    NOUNS,
    OneSlot,
    PairedUnit,
    asked,
    can_be_asked,
    every_sample,
    hiding,
    of_kinds,
    with_partners,
)

from vlaudit.datasets.scenes import sample
from vlaudit.errors import RefusedSample
from vlaudit.findings import Ask
from vlaudit.measures.base import Unit
from vlaudit.perturbations import Cover, Hint
from vlaudit.samples import Sample, Slot, Span

SAMPLES = [sample(5, index) for index in range(12)]

NAMING = next(one for one in SAMPLES if any(slot.kind in NOUNS for slot in one.slots))
UNLINKED = replace(NAMING, slots=tuple(replace(slot, region_ids=()) for slot in NAMING.slots), phrases=())
"""Of its words nobody knows where in the image their things are: nothing can be covered."""


def hinted(unit):
    return {"plain": Ask(hiding(unit), (), frozenset()), "hint": Ask(hiding(unit), (Cover(), Hint()), frozenset())}


def chosen(samples, seed=0, **settings):
    return list(OneSlot(of_kinds(*NOUNS), hinted, **settings)(samples, seed))


def bare(number, caption, image_id=None):
    return Sample(f"s{number}", image_id or f"i{number}", None, caption)


def test_one_slot_of_each_sample_that_has_any():
    units = chosen(SAMPLES)
    assert [unit.sample for unit in units] == [one for one in SAMPLES if any(slot.kind in NOUNS for slot in one.slots)]
    assert all(unit.slot in unit.sample.slots and unit.slot.kind in NOUNS for unit in units)
    assert len({unit.id for unit in units}) == len(units)


def test_a_choice_belongs_to_its_sample_and_the_seed():
    alone = [unit for one in SAMPLES for unit in chosen([one])]
    assert [unit.slot for unit in alone] == [unit.slot for unit in chosen(SAMPLES)]
    others = [[unit.slot for unit in chosen(SAMPLES, seed)] for seed in range(4)]
    assert any(one != others[0] for one in others)


def test_what_can_be_asked_is_preferred_and_the_rest_is_refused_later():
    """A slot whose thing cannot be covered is chosen only where there is no other; then it says why."""
    for unit in chosen(SAMPLES):
        makeable = [can_be_asked(replace(unit, slot=slot), hinted, 0) for slot in of_kinds(*NOUNS)(unit.sample)]
        assert can_be_asked(unit, hinted, 0) == any(makeable)
    (unit,) = chosen([UNLINKED])
    assert not can_be_asked(unit, hinted, 0)


def test_only_what_is_named_is_tried():
    (unit,) = chosen([UNLINKED], tried=("plain",))
    assert can_be_asked(unit, hinted, 0, ("plain",))


def test_facts_say_what_is_asked_for():
    units = chosen(SAMPLES, facts=lambda one, slot: {"length": len(one.text(slot))})
    for unit in units:
        word = unit.sample.text(unit.slot)
        assert unit.facts == {"kind": unit.slot.kind, "word": word, "length": len(word)}


def test_a_partner_shows_another_image_and_says_something_else():
    samples = [bare(0, "a dog", "i"), bare(1, "a cat", "i"), bare(2, "A dog"), bare(3, "a cow")]
    partners = [other.id for _, other in with_partners(samples)]
    assert partners == ["s3", "s2", "s3", "s0"]
    assert [unit.other.id for unit in every_sample(samples, 0)] == partners


def test_without_another_image_there_is_no_partner():
    (unit,) = every_sample([bare(0, "a dog")], 0)
    assert unit.partner is None
    with pytest.raises(RefusedSample, match="no other image"):
        _ = unit.other


def test_hiding_hides_the_slot_and_what_is_named_beside_it():
    caption = "a red ball and a blue cup"
    slots = (Slot(2, 5, "color"), Slot(6, 10, "object"), Slot(17, 21, "color"), Slot(22, 25, "object"))
    unit = PairedUnit("u", replace(bare(0, caption), slots=slots), slots[1])
    assert hiding(unit).hidden_phrases == (Span(6, 10),)
    assert hiding(unit, "color").hidden_phrases == (Span(2, 5), Span(6, 10), Span(17, 21))


def test_a_unit_without_a_slot_asks_for_no_word():
    with pytest.raises(RefusedSample, match="asks for no word"):
        asked(Unit("u", bare(0, "a dog")))
