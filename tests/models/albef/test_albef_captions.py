"""Captions are tokenized as in ALBEF's training, and every piece states its characters."""

import json
import re
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given
from safetensors.torch import load_file

from vlaudit.models.albef.captions import MOST_WORDS, clean
from vlaudit.models.streams.captions import CaptionPolicy
from vlaudit.models.vocabulary import find_vocabulary
from vlaudit.samples import Sample, Span

POLICY = CaptionPolicy(clean, ends_with_sep=False, most_words=MOST_WORDS)
GOLDENS = Path(__file__).parents[2] / "goldens" / "albef"
CASES = sorted(path.name for path in GOLDENS.iterdir() if path.is_dir())
TRICKY = st.text(st.sampled_from("aB \n\t-/.,'<>personİÉ~#")) | st.lists(
    st.sampled_from(["<person>", "a", " ", "-", "\n", "<", "."])
).map("".join)


def vocabulary(case):
    rows = json.loads((GOLDENS / case / "config.json").read_text())["bert"]["vocab_size"]
    return find_vocabulary(GOLDENS / case / "checkpoint.pth", tokenizer=None, published="none", rows=rows)


def sample(caption, *hidden):
    return Sample("s", "i", None, caption, hidden_phrases=hidden)


@given(TRICKY)
def test_cleaning_equals_the_rules_written_as_substitutions(caption):
    """A second implementation, straight from the list of rules in the published layout."""
    text = re.sub(r"[,.'!?\"()*#:;~]", "", caption.lower()).replace("-", " ").replace("/", " ")
    text = re.sub(r"\s{2,}", " ", text.replace("<person>", "person")).rstrip("\n").strip(" ")
    assert clean(caption)[0] == text


@given(TRICKY)
def test_every_clean_character_has_its_original_index(caption):
    text, origins = clean(caption)
    assert len(origins) == len(text)
    assert list(origins) == sorted(origins)
    for character, index in zip(text, origins, strict=True):
        assert character in caption[index].lower() or (character == " " and caption[index] in "-/ \n\t")


@pytest.mark.parametrize("case", CASES)
def test_ids_equal_the_official_ones(case):
    """The official ids are cut at the length that the model was trained on; ours are not."""
    captions, inputs = (
        json.loads((GOLDENS / case / "captions.json").read_text()),
        load_file(GOLDENS / case / "inputs.safetensors"),
    )
    for raw, row, mask in zip(captions["raw"], inputs["input_ids"], inputs["attention_mask"], strict=True):
        official = row[mask.bool()].tolist()
        ours = list(POLICY.encode(sample(raw), vocabulary(case)).ids)
        assert ours[: len(official)] == official
        assert len(ours) == len(official) or len(official) == captions["max_length"]


def test_there_is_no_sep():
    words = vocabulary("tiny_even")
    assert POLICY.encode(sample("a dog"), words).ids == (words.cls, words.ids["a"], words.ids["dog"])


def test_hiding_masks_every_piece_of_the_phrase_and_nothing_else():
    words = vocabulary("tiny_even")
    caption = "A dog, running - on"
    encoding = POLICY.encode(sample(caption, Span(2, 5), Span(7, 14)), words)
    assert encoding.axis.hidden == ((2,), (3, 4, 5))
    assert [i for i, piece in enumerate(encoding.ids) if piece == words.mask] == [2, 3, 4, 5]
    assert encoding.originals == POLICY.encode(sample(caption), words).ids


def test_positions_are_characters_of_the_original_caption():
    axis = POLICY.encode(sample("A dog, running - on"), vocabulary("tiny_even")).axis
    assert axis.spans[0] is None
    assert axis.positions(2, 5) == (2,)
    assert axis.spans[-1] == Span(17, 19)


@pytest.mark.parametrize(
    ("caption", "limit", "why"),
    [
        ("a dog", 3, None),
        ("a dog on", 3, "4 tokens with [CLS], this model was trained on 3"),
        ("a " * 31, 99, "31 words, this model reads 30"),
        ("a " * 30, 99, None),
    ],
)
def test_a_caption_that_the_official_code_would_cut_is_too_long(caption, limit, why):
    encoding = POLICY.encode(sample(caption), vocabulary("tiny_even"))
    reason = POLICY.too_long(caption, encoding, limit)
    assert reason is None if why is None else why in reason
