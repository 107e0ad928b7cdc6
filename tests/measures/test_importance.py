"""Modality importance is the attention of [CLS] on either modality's tokens, and a share between 0 and 1."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vlaudit.errors import RefusedSample
from vlaudit.measures import ClsImportance, Reduction, Unit
from vlaudit.models.base import ForwardRequest
from vlaudit.models.probe_samples import probe_samples
from vlaudit.models.toy import BlindToy, GroundedToy
from vlaudit.samples import Box, Span
from vlaudit.traces import Attention, ImageAxis, TextAxis, Trace

SAMPLE = probe_samples(GroundedToy())[0]
UNIT = Unit(SAMPLE.id, SAMPLE)


def trace_of(words, regions, layers=2, heads=3, seed=0):
    """Return a trace of [CLS], words, [SEP] and regions under one softmax."""
    text = TextAxis((None, *(Span(i, i + 1) for i in range(words)), None))
    joint = torch.randn(layers, heads, len(text), len(text) + regions, generator=torch.Generator().manual_seed(seed))
    rows = joint.softmax(-1)
    arrays = {Attention("text", "text"): rows[..., : len(text)], Attention("text", "image"): rows[..., len(text) :]}
    return Trace("key", arrays, text, ImageAxis((None, *[Box(0, 0, 1, 1)] * (regions - 1)), "region"))


def measure(trace):
    reduced = ClsImportance().reduce([Reduction(UNIT, "own", SAMPLE, trace)])
    row = ClsImportance().row(UNIT, {"own": reduced[0]})
    assert set(row) == ClsImportance().columns(["own"])
    return row


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 99))
def test_masses_are_sums_over_tokens_without_special_ones(words, regions, seed):
    """Against a loop over heads: [CLS] and [SEP] are excluded; with them the masses sum to one."""
    trace = trace_of(words, regions, seed=seed)
    row = measure(trace)
    text, image = (trace[Attention("text", keys)].numpy() for keys in ("text", "image"))
    for layer in range(2):
        for head in range(3):
            on_text = sum(text[layer, head, 0, 1 + i] for i in range(words))
            on_image = sum(image[layer, head, 0, i] for i in range(regions))
            special = text[layer, head, 0, 0] + text[layer, head, 0, -1]
            assert row["text_mass"][layer][head] == pytest.approx(on_text, abs=1e-6)
            assert row["image_mass"][layer][head] == pytest.approx(on_image, abs=1e-6)
            assert on_text + on_image + special == pytest.approx(1, abs=1e-5)
    assert 0 <= row["image_share"] <= 1
    means = np.mean(row["text_mass"]), np.mean(row["image_mass"])
    assert row["image_share"] == pytest.approx(means[1] / sum(means), abs=1e-6)
    np.testing.assert_allclose(row["text_mass_token"], np.mean(row["text_mass"], -1) / words, atol=1e-6)


def test_equal_attention_on_every_token_gives_equal_shares_per_token():
    trace = trace_of(4, 8)
    arrays = {reading: torch.full_like(array, 1 / 14) for reading, array in trace.arrays.items()}
    row = measure(Trace("key", arrays, trace.text, trace.image))
    assert row["image_share"] == pytest.approx(8 / 12)
    assert row["image_share_token"] == pytest.approx(0.5)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 30), st.integers(1, 30), st.floats(0.01, 100))
def test_the_share_per_token_has_the_odds_of_one_image_token_against_one_word(words, regions, odds):
    """Uniform attention (odds 1) is at one half, however many tokens either modality has."""
    trace = trace_of(words, regions)
    text, image = (
        torch.full_like(array, value) for array, value in zip(trace.arrays.values(), (0.01, 0.01), strict=True)
    )
    row = measure(Trace("key", dict(zip(trace.arrays, (text, image * odds), strict=True)), trace.text, trace.image))
    assert row["image_share_token"] == pytest.approx(odds / (1 + odds), rel=1e-4)


def test_without_any_attention_on_words_and_regions_the_share_is_none():
    trace = trace_of(3, 4)
    arrays = {reading: torch.zeros_like(array) for reading, array in trace.arrays.items()}
    row = measure(Trace("key", arrays, trace.text, trace.image))
    assert row["image_share"] == row["image_share_token"] == 0


def test_attention_that_is_no_number_gives_a_share_that_is_none():
    trace = trace_of(3, 4)
    arrays = {reading: torch.full_like(array, float("nan")) for reading, array in trace.arrays.items()}
    row = measure(Trace("key", arrays, trace.text, trace.image))
    assert np.isnan([row["image_share"], row["image_share_token"]]).all()


def test_a_blind_model_has_no_share_of_the_image():
    readings = frozenset({Attention("text", "text"), Attention("text", "image")})
    blind, grounded = ((toy.forward([ForwardRequest(SAMPLE, readings)])[0]) for toy in (BlindToy(), GroundedToy()))
    assert measure(blind)["image_share"] == 0
    assert measure(grounded)["image_share"] > 0.25


def test_a_caption_without_tokens_is_refused():
    trace = trace_of(1, 1)
    bare = Trace("key", trace.arrays, TextAxis((None, None, None)), trace.image)
    with pytest.raises(RefusedSample, match="no token"):
        measure(bare)
