"""Captions for training: mirrored, false and masked words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.zoo import texts
from fixtures.zoo.texts import Text
from vlaudit.datasets.scenes import compose, describe, vocabulary
from vlaudit.datasets.scenes.words import CANDIDATES
from vlaudit.models.albef.losses import IGNORED

indices = st.integers(0, 10_000)
seeds = st.integers(0, 2**32)
few = settings(max_examples=40)


def text_of(scene):
    return Text.of(describe(scene))


@few
@given(indices)
def test_every_question_has_the_index_of_its_word(index):
    scene = compose(5, index)
    caption = describe(scene)
    text = Text.of(caption)
    expected = [(caption.text[slot.start : slot.end], slot.kind) for slot in caption.slots]
    assert [(text.words[q.place], q.kind) for q in text.questions] == expected
    assert " ".join(text.words) == caption.text


@few
@given(indices)
def test_mirroring_changes_sides_only_and_twice_is_the_identity(index):
    scene = compose(5, index)
    text = text_of(scene)
    changed = {
        place for place, pair in enumerate(zip(text.words, text.mirrored().words, strict=True)) if len(set(pair)) > 1
    }
    assert changed == {place for place, word in enumerate(text.words) if word in ("left", "right")}
    assert text.mirrored().mirrored() == text


@few
@given(indices, seeds)
def test_a_false_word_is_of_its_kind_and_false_of_the_scene(index, seed):
    scene, rng = compose(5, index), np.random.default_rng(seed)
    text = text_of(scene)
    for question in text.questions:
        word = texts.false_word(scene, text, question, rng)
        if word is None:
            continue
        assert word in CANDIDATES[question.kind]
        assert word != text.words[question.place]
        if question.kind == "color":
            kinds = {scene.thing(name).kind for name in question.thing_ids}
            assert word not in {thing.color for thing in scene.things if thing.kind in kinds}
        elif question.kind not in texts.SIDE_KINDS:
            assert word not in scene.kinds()


@few
@given(indices, seeds)
def test_one_false_differs_in_one_word_and_many_false_in_words_of_questions(index, seed):
    scene, rng = compose(5, index), np.random.default_rng(seed)
    text = text_of(scene)
    one, many = texts.one_false(scene, text, rng, side_share=0.5), texts.many_false(scene, text, rng)
    if one is not None:
        assert sum(a != b for a, b in zip(text.words, one.words, strict=True)) == 1
    asked = {question.place for question in text.questions}
    assert {n for n, pair in enumerate(zip(text.words, many.words, strict=True)) if len(set(pair)) > 1} <= asked


@few
@given(indices, seeds)
def test_a_hint_is_added_and_questions_move_with_their_words(index, seed):
    scene, rng = compose(5, index), np.random.default_rng(seed)
    text = text_of(scene)
    hinted, question = texts.hinted(text, rng)
    assert [hinted.words[q.place] for q in hinted.questions] == [text.words[q.place] for q in text.questions]
    if question is None:
        assert hinted == text
    else:
        assert question in hinted.questions
        assert len(text.words) < len(hinted.words) < 25  # the limit of the published model, with [CLS]
        assert {*hinted.words} <= {*vocabulary()}


@few
@given(indices, seeds)
def test_only_chosen_words_are_masked_and_labelled(index, seed):
    scene, rng = compose(5, index), np.random.default_rng(seed)
    text = text_of(scene)
    places = texts.hidden_places(text, rng)
    assert bool(places) == bool(text.questions)
    encoded = texts.encode([text, text], [places, ()], "cpu")
    plain, masked = encoded.ids[1].tolist(), encoded.ids[0].tolist()
    assert plain[0] == texts.CLS
    assert {n - 1 for n, number in enumerate(masked) if number == texts.MASK} == places
    for n, label in enumerate(encoded.labels[0].tolist()):
        assert label == (plain[n] if n - 1 in places else IGNORED)
    assert (encoded.labels[1] == IGNORED).all()


def test_a_shorter_caption_is_padded_and_its_padding_masked():
    short, long = Text(("a", "dog"), ()), Text(("a", "red", "ball"), ())
    encoded = texts.encode([short, long], [(), ()], "cpu")
    assert encoded.mask.tolist() == [[True, True, True, False], [True] * 4]


def test_without_colors_keeps_all_other_questions():
    text = next(text for text in map(text_of, (compose(5, n) for n in range(50))) if text.without_colors() != text)
    assert [q for q in text.questions if q.kind != "color"] == list(text.without_colors().questions)


@pytest.mark.parametrize("kind", ["person", "scenery"])
def test_a_false_word_is_found_for_common_kinds(kind):
    rng, found = np.random.default_rng(0), 0
    for scene in (compose(5, n) for n in range(30)):
        text = text_of(scene)
        found += sum(texts.false_word(scene, text, q, rng) is not None for q in text.questions if q.kind == kind)
    assert found >= 5
