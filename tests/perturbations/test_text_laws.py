"""Properties of every perturbation of a caption: spans still cover their words."""

import re
from dataclasses import dataclass, replace

import drawn_samples
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vlaudit.errors import RefusedSample, UsageError
from vlaudit.perturbations import (
    CopyHint,
    Foil,
    Hint,
    MaskPhrases,
    MaskWords,
    OtherCaption,
    OtherImage,
    OtherPair,
    SwapClauses,
    SwapColors,
    SwapSides,
    apply,
    mismatched,
)
from vlaudit.perturbations.text import edit_caption
from vlaudit.samples import COLORS, SIDES, Box, Image, Phrase, Region, Sample, Slot, Span, words_of

some = settings(max_examples=60)

# beartype picks at random which items of a container it checks, also while Hypothesis draws a sample
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")


CHOICES = {"color": COLORS, "position side": SIDES}


def said(caption, *kinds, **fields):
    """A sample whose slots are the words named by `kinds`: pairs of word and kind."""
    slots = []
    for word, kind in kinds:
        start = re.search(rf"\b{word}\b", caption).start()
        choices = CHOICES.get(kind, ())
        slots.append(Slot(start, start + len(word), kind, (), word.lower() if choices else "", choices))
    return Sample("s", "i", None, caption, slots=tuple(slots), **fields)


@st.composite
def edited(draw):
    """A sample and non-overlapping edits of whole words, or between them."""
    sample = draw(drawn_samples.captioned())
    edits = []
    for span in words_of(sample.caption):
        new = draw(st.sampled_from((None, None, "x", "longer word", "")))
        if new is not None:
            edits.append((*span, new))
        if draw(st.booleans()):
            edits.append((span.end, span.end, draw(st.sampled_from((" more", "!")))))
    return sample, draw(st.permutations(edits))


@settings(max_examples=150)
@given(edited())
def test_spans_move_with_their_words(drawn):
    """Each span covers the same text as in a character-by-character reference."""
    sample, edits = drawn
    after = edit_caption(sample, edits)
    text, origin = account(sample.caption, edits)
    assert after.caption == text

    def covered(part):
        at = [place for place, came_from in enumerate(origin) if _within(came_from, part)]
        return text[at[0] : at[-1] + 1] if at else None

    for kind in ("slots", "phrases"):
        expected = [covered(part) for part in getattr(sample, kind)]
        assert [after.text(part) for part in getattr(after, kind)] == [part for part in expected if part]
    hidden = sorted(covered(span) or "" for span in sample.hidden_phrases)
    assert sorted(after.text(span) for span in after.hidden_phrases) == [text for text in hidden if text]


def _within(came_from, part):
    """Return the text from inside the part, insertions between its characters included."""
    kept = part.start <= came_from < part.end
    return kept if came_from == int(came_from) else part.start < came_from + 0.5 < part.end


def account(caption, edits):
    """Return the edited text, and for each character the place that it came from; inserted ones come from between."""
    replaced = {start: (end, new) for start, end, new in edits if end > start}
    inserted = {start: new for start, end, new in edits if end == start}
    text, origin, place = "", [], 0
    while place <= len(caption):
        new = inserted.get(place, "")
        text, origin = text + new, origin + [place - 0.5] * len(new)
        if place in replaced:
            end, new = replaced[place]
            text, origin, place = text + new, origin + [place] * len(new), end
        else:
            text, origin, place = text + caption[place : place + 1], [*origin, place], place + 1
    return text, origin


@some
@given(drawn_samples.captioned())
def test_no_edits_are_nothing(sample):
    """The very same sample; and replacing each word by itself is an equal one."""
    assert edit_caption(sample, []) is sample
    same = [(*span, sample.caption[slice(*span)]) for span in words_of(sample.caption)]
    assert edit_caption(sample, same) == sample


def test_spans_inside_replaced_text_are_dropped():
    """The word that a slot named is no longer there."""
    sample = said("a red ball here", ("red", "color"), ("here", "place"))
    after = edit_caption(sample, [(0, 10, "it")])
    assert after.caption == "it here"
    assert [after.text(slot) for slot in after.slots] == ["here"]


def test_text_inserted_at_the_boundary_of_a_span_is_outside_it():
    """At either border."""
    sample = said("red", ("red", "color"))
    after = edit_caption(sample, [(0, 0, "very "), (3, 3, " ball")])
    assert after.caption == "very red ball"
    assert after.text(after.slots[0]) == "red"


@pytest.mark.parametrize("start, end", [(0, 4), (3, 8)])
def test_an_edit_through_the_boundary_of_a_span_is_an_error(start, end):
    """Half a word has no right answer."""
    with pytest.raises(UsageError, match=f"must not cut through the boundary of 'red' at 2:5, got {start}:{end}"):
        edit_caption(said("a red ball", ("red", "color")), [(start, end, "x")])


@pytest.mark.parametrize("edits", [[(0, 4, "x"), (3, 5, "y")], [(5, 99, "x")], [(4, 2, "x")]])
def test_edits_that_overlap_or_leave_the_caption_are_an_error(edits):
    """The message states the edits."""
    with pytest.raises(UsageError, match="must not overlap, got"):
        edit_caption(said("a red ball"), edits)


def twice(perturbation, sample):
    try:
        once = apply([perturbation], sample, 0)
    except RefusedSample:
        return None
    return once, apply([perturbation], once, 0)


@some
@given(drawn_samples.captioned())
def test_swapping_sides_twice_is_nothing(sample):
    """And once, each side is the other one and nothing else changes."""
    result = twice(SwapSides(), sample)
    sides = [slot for slot in sample.slots if slot.kind.endswith("side")]
    assert (result is None) == (not sides)
    if result:
        once, back = result
        assert back == sample
        swap = {"left": "right", "right": "left"}
        expected = [
            swap[sample.text(slot).lower()] if slot in sides else sample.text(slot).lower() for slot in sample.slots
        ]
        assert [once.text(slot).lower() for slot in once.slots] == expected


def test_only_words_that_name_a_side_are_swapped():
    """A verb stays, and capitals stay."""
    sample = said("Left of the door she left it", ("Left", "position side"))
    assert apply([SwapSides()], sample, 0).caption == "Right of the door she left it"


@some
@given(drawn_samples.captioned(joint=" while "))
def test_swapping_clauses_twice_is_nothing(sample):
    """For any spans; and once, the same words are covered."""
    result = twice(SwapClauses(), sample)
    if result:
        once, back = result
        assert back == sample
        before, after = (sorted(map(str.lower, drawn_samples.spanned(one))) for one in (sample, once))
        assert after == before
        first, second = sample.caption.rstrip(".").lower().split(" while ")
        assert once.caption.rstrip(".").lower() == f"{second} while {first}"


@pytest.mark.parametrize(
    "before, after",
    [
        ("A dog runs while a cat sits.", "A cat sits while a dog runs."),
        ("a dog runs. A cat sits", "a cat sits. A dog runs"),
        ("Two men; three women.", "Three women; two men."),
    ],
)
def test_clauses_change_places_and_capitals_do_not(before, after):
    """The text of a photo's caption says where its clauses join."""
    assert apply([SwapClauses()], said(before), 0).caption == after


@pytest.mark.parametrize("caption", ["a dog and a cat", "One. Two. Three.", "while a dog sits", "a dog while"])
def test_a_caption_without_two_clauses_is_refused(caption):
    """The word "and" joins nouns as often, so it is no joint."""
    with pytest.raises(RefusedSample, match=r"s: its caption (must have two clauses|does not fall)"):
        apply([SwapClauses()], said(caption), 0)


def test_a_phrase_over_the_joint_is_refused():
    """It could not stay one phrase."""
    sample = replace(said("a dog runs while a cat sits"), phrases=(Phrase("p", 2, 22, "other"),))
    with pytest.raises(RefusedSample, match="every span must be inside one clause, 'dog runs while a cat' is not"):
        apply([SwapClauses()], sample, 0)


@pytest.mark.parametrize(
    "before, words, after",
    [
        ("A red ball on an orange box", ("red", "orange"), "An orange ball on a red box"),
        ("Red and blue", ("Red", "blue"), "Blue and red"),
        ("a red, red and green kite", ("red", "green"), "a green, red and red kite"),
    ],
)
def test_two_colours_change_places(before, words, after):
    """Articles and capitals follow, and twice is nothing."""
    sample = said(before, *((word, "color") for word in words))
    once, back = twice(SwapColors(), sample)
    assert once.caption == after
    assert back == sample


@pytest.mark.parametrize("caption", ["a red ball", "a red ball and a red box", "a ball"])
def test_fewer_than_two_colours_are_refused(caption):
    """Nothing to exchange."""
    slots = tuple(Slot(*found.span(), "color") for found in re.finditer("red", caption))
    sample = Sample("s", "i", None, caption, slots=slots)
    with pytest.raises(RefusedSample, match="does not name two different colours"):
        apply([SwapColors()], sample, 0)


CAPTION_EDITS = (SwapSides(), SwapColors(), SwapClauses(), Foil(), Foil("asked"), MaskWords(), MaskPhrases())


@some
@given(drawn_samples.captioned(), st.integers(0, 10))
def test_a_foil_changes_one_word_to_one_that_the_caption_does_not_hold(sample, seed):
    """One colour slot, and at most its article."""
    colors = [slot for slot in sample.slots if slot.kind == "color"]
    if not colors:
        with pytest.raises(RefusedSample, match="its caption has no color slot"):
            apply([Foil()], sample, seed)
        return
    foiled = apply([Foil()], sample, seed)
    pairs = list(zip(map(sample.text, sample.slots), map(foiled.text, foiled.slots), strict=True))
    changed = [new for old, new in pairs if old != new]
    assert len(changed) == 1
    assert changed[0].lower() not in sample.caption.lower().split()
    after = zip(sample.caption.split(), foiled.caption.split(), strict=True)
    assert {old.lower() for old, new in after if old != new} <= {
        "red",
        "blue",
        "orange",
        "orange.",
        "red.",
        "blue.",
        "a",
        "an",
    }


@some
@given(drawn_samples.captioned(joint=" while "), st.sampled_from(CAPTION_EDITS), st.integers(0, 10))
def test_an_edit_of_the_caption_changes_no_answer(sample, edit, seed):
    """The image is unchanged: answers, choices and the tested slot do not depend on the new caption."""
    try:
        after = apply([edit], sample, seed)
    except RefusedSample:
        return

    def questions(one):
        return [(slot.kind, slot.answer, slot.choices, slot.asked) for slot in one.slots]

    assert questions(after) == questions(sample)


@some
@given(drawn_samples.captioned(), st.integers(0, 10))
def test_the_tested_word_can_be_foiled(sample, seed):
    """It alone, by another of its choices; refused where none is tested or the caption holds them all."""
    slot, held = sample.asked_slot, {*sample.caption.lower().rstrip(".").split()}
    if slot is None or {*slot.choices} <= held:
        with pytest.raises(RefusedSample, match="no other word" if slot else "its caption has no asked slot"):
            apply([Foil("asked")], sample, seed)
        return
    foiled = apply([Foil("asked")], sample, seed)
    changed = [new for old, new in zip(sample.slots, foiled.slots, strict=True) if sample.text(old) != foiled.text(new)]
    assert changed == [foiled.asked_slot]
    assert foiled.text(changed[0]).lower() in set(slot.choices) - held


def test_a_foil_is_no_label_of_the_photo_s_regions():
    slot = Slot(2, 5, "animal", (), "dog", ("dog", "cat", "cow"))
    region = Region("r", Box(0, 0, 1, 1), "cat")
    sample = Sample("s", "i", None, "a dog", (region,), slots=(slot,)).asking(slot)
    assert {apply([Foil("asked")], sample, seed).caption for seed in range(9)} == {"a cow"}


def test_a_foil_without_another_word_is_refused():
    """Every word of the list is in the caption."""
    with pytest.raises(RefusedSample, match="no other word can replace 'red'"):
        apply([Foil(words=("red", "blue"))], said("red and blue", ("red", "color")), 0)


def test_masks_are_added_to_hidden_spans():
    """By kind, or by type; without either, all."""
    sample = said("a red ball in blue", ("red", "color"), ("ball", "object"), ("blue", "color"))
    sample = replace(sample, phrases=(Phrase("p", 0, 10, "other"),))
    assert [sample.text(span) for span in apply([MaskWords(("color",))], sample, 0).hidden_phrases] == ["red", "blue"]
    assert len(apply([MaskWords()], sample, 0).hidden_phrases) == 3
    both = apply([MaskWords(("object",)), MaskPhrases(("other",))], sample, 0)
    assert [both.text(span) for span in both.hidden_phrases] == ["a red ball", "ball"]
    with pytest.raises(RefusedSample, match="its caption has no slot of animal"):
        apply([MaskWords(("animal",))], sample, 0)
    with pytest.raises(RefusedSample, match="its caption has no phrase of people"):
        apply([MaskPhrases(("people",))], sample, 0)


@dataclass(frozen=True)
class Knowing:
    """A world that knows one hint."""

    text: str | None

    def hint(self, sample, slot):
        return self.text

    def copy_hint(self, sample, slot):
        return self.text and f"the word is {sample.text(slot)}"


@pytest.mark.parametrize(
    "caption, hint, expected",
    [
        ("a red ball", "like a tomato", "a red ball like a tomato"),
        ("a red ball", "It is like a tomato.", "a red ball. It is like a tomato."),
        ("a red ball.", "It is like a tomato.", "a red ball. It is like a tomato."),
    ],
)
def test_a_hint_follows_the_caption(caption, hint, expected):
    """Sentences are parted by a full stop; the hidden word stays hidden."""
    sample = said(caption, ("red", "color"), world=Knowing(hint))
    hinted = apply([MaskWords(), Hint()], sample, 0)
    assert hinted.caption == expected
    assert [hinted.text(span) for span in hinted.hidden_phrases] == ["red"]
    assert hinted.slots == sample.slots
    assert apply([MaskWords(), CopyHint()], sample, 0).caption.endswith("the word is red")


@pytest.mark.parametrize(
    "world, steps, message",
    [
        (None, [MaskWords(), Hint()], "its data set has no other text about the image, so there is no hint"),
        (Knowing(None), [MaskWords(), Hint()], "there is no hint at 'red'"),
        (Knowing(None), [MaskWords(), CopyHint()], "there is no text that contains 'red'"),
        (Knowing("x"), [Hint()], "exactly one slot must be hidden for a hint, got 0"),
    ],
)
def test_a_hint_that_cannot_be_given_is_refused(world, steps, message):
    """The reason states what is missing."""
    with pytest.raises(RefusedSample, match=message):
        apply(steps, said("a red ball", ("red", "color"), world=world), 0)


def photo(index, image_id, caption, shade=None):
    pixels = np.full((4, 4, 3), index if shade is None else shade, np.uint8)
    region = Region("a", Box(0, 0, 2, 2), f"thing {index}")
    slots = tuple(Slot(*span, "word", ("a",)) for span in words_of(caption))
    return Sample(f"s{index}", image_id, Image.from_array(pixels), caption, (region,), slots=slots)


@some
@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from("abc")), min_size=2, max_size=12), st.integers(0, 99))
def test_mismatched_captions_are_of_other_images(drawn, seed):
    """Never the same image, never the same text; own image and regions, no words linked to them."""
    samples = [photo(index, f"i{image}", text) for index, (image, text) in enumerate(drawn)]
    lonely = [
        one
        for one in samples
        if not any(one.image_id != other.image_id and one.caption != other.caption for other in samples)
    ]
    if lonely:
        with pytest.raises(RefusedSample, match="the data have no sample with another image and another caption"):
            mismatched(samples, np.random.default_rng(seed))
        return
    pairs = list(zip(samples, mismatched(samples, np.random.default_rng(seed)), strict=True))
    for sample, mixed in pairs:
        assert (mixed.id, mixed.image_id, mixed.image, mixed.regions) == (
            sample.id,
            sample.image_id,
            sample.image,
            sample.regions,
        )
        lenders = [other for other in samples if other.caption == mixed.caption and other.image_id != sample.image_id]
        assert lenders
        assert mixed.caption != sample.caption
        assert all(slot.region_ids == () for slot in mixed.slots)


def test_each_caption_is_lent_once_where_that_is_possible():
    """A permutation of the captions, as the marginals of a control should be."""
    samples = [photo(index, f"i{index // 3}", f"caption {index}") for index in range(30)]
    for seed in range(10):
        mixed = mismatched(samples, np.random.default_rng(seed))
        assert sorted(sample.caption for sample in mixed) == sorted(sample.caption for sample in samples)


def test_equal_pictures_under_two_ids_are_no_mismatch():
    """The key of the image says so."""
    twins = [photo(0, "i0", "a", shade=9), photo(1, "i1", "b", shade=9), photo(2, "i2", "c")]
    mixed = mismatched(twins, np.random.default_rng(0))
    assert [sample.caption for sample in mixed[:2]] == ["c", "c"]


def test_after_a_mismatch_the_partners_words_are_hidden():
    """Because the words are the partner's."""
    samples = [photo(0, "i0", "one dog").hiding(Span(0, 3)), photo(1, "i1", "two cats").hiding(Span(4, 8))]
    mixed = mismatched(samples, np.random.default_rng(0))
    assert [sample.text(sample.hidden_phrases[0]) for sample in mixed] == ["cats", "one"]


def pair():
    """Two samples, each the partner of the other, with one word hidden and tested."""
    words = ("one dog", Span(0, 3)), ("two cats", Span(4, 8))
    one, other = (
        photo(index, f"i{index}", caption).hiding(span).asking(Slot(*span, "word"))
        for index, (caption, span) in enumerate(words)
    )
    return replace(one, partner=other), replace(other, partner=one)


def test_the_partner_s_caption_replaces_one_s_own():
    """With its hidden and its tested word; image and regions stay, and no word is linked to a region."""
    one, other = pair()
    mixed = apply([OtherCaption()], one, 0)
    assert (mixed.id, mixed.image, mixed.regions) == (one.id, one.image, one.regions)
    assert (mixed.caption, mixed.hidden_phrases) == (other.caption, other.hidden_phrases)
    assert mixed.text(mixed.asked_slot) == "cats"
    assert all(slot.region_ids == () for slot in mixed.slots)


def test_the_partner_s_image_replaces_one_s_own():
    """The same pair of image and caption, from the caption's side."""
    one, other = pair()
    mixed = apply([OtherImage()], one, 0)
    assert (mixed.image_id, mixed.image, mixed.regions) == (other.image_id, other.image, other.regions)
    assert (mixed.caption, mixed.text(mixed.asked_slot)) == (one.caption, "one")
    assert mixed == apply([OtherCaption()], other, 0)


def test_the_partner_s_image_brings_its_boxes_and_features_together():
    """A region model reads both; the features of one image at the boxes of another would be damage."""
    one, other = pair()
    width = np.arange(3, dtype=np.float32)
    other = replace(other, regions=tuple(replace(region, features=width) for region in other.regions))
    one = replace(one, regions=tuple(replace(region, features=-width) for region in one.regions), partner=other)
    mixed = apply([OtherImage()], one, 0)
    assert [region.key for region in mixed.regions] == [region.key for region in other.regions]


def test_a_pair_is_exchanged_whole_with_its_links():
    """With the partner's image and caption alone the four pairings of two images and captions are complete."""
    one, other = pair()
    mixed = apply([OtherPair()], one, 0)
    assert mixed == other
    assert all(slot.region_ids for slot in mixed.slots)


@pytest.mark.parametrize("perturbation", [OtherCaption(), OtherImage(), OtherPair()], ids=repr)
def test_without_a_partner_there_is_no_other(perturbation):
    with pytest.raises(RefusedSample, match="the data have no suitable sample with another image"):
        apply([perturbation], photo(0, "i0", "one dog"), 0)
