"""Each check of an adapter is failed by an adapter with that one fault, and the faults that are silent by it alone."""

import re
from dataclasses import replace

import pytest
import torch

import vlaudit
from vlaudit import adapter_checks, check_adapter
from vlaudit.errors import AdapterError, UsageError
from vlaudit.models.base import Capabilities, ForwardRequest
from vlaudit.models.probe_samples import plain_words, probe_samples
from vlaudit.models.smoke_test import smoke_test
from vlaudit.models.toy import LAYERS, BlindToy, GroundedToy
from vlaudit.samples import Box, words_of
from vlaudit.traces import (
    Attention,
    Feature,
    Hidden,
    HiddenPieces,
    ImageAxis,
    Match,
    RegionClasses,
    TextAxis,
    Words,
)

pytest_plugins = ["pytester"]

FAMILIES = ("albef", "uniter", "lxmert", "vilbert", "vl-bert", "visualbert", "bert")
VOCABULARY = {word: i for i, word in enumerate(plain_words({}))}
IDS = [str(check) for check in adapter_checks(GroundedToy)]


class Wordy(GroundedToy):
    """The grounded toy with log-probabilities over a vocabulary, and of the word that stood there."""

    name = "wordy"
    capabilities = replace(
        GroundedToy.capabilities,
        readings=GroundedToy.capabilities.readings | {HiddenPieces},
        word_probability="vocabulary",
    )

    def __init__(self):
        super().__init__()
        self.vocabulary = VOCABULARY

    def _read(self, reading, sample, text, image):
        if isinstance(reading, Words | HiddenPieces):
            return self.words(reading, sample, list(sample.hidden_phrases))
        return super()._read(reading, sample, text, image)

    def words(self, reading, sample, spans):
        """Answer from the distributions over the vocabulary at these spans."""
        rows = torch.stack([self.at(sample, span) for span in spans]) if spans else torch.zeros(0, len(VOCABULARY))
        if isinstance(reading, Words):
            return rows[:, [VOCABULARY[word] for word in reading.words or VOCABULARY]]
        own = [VOCABULARY[sample.text(span)] for span in sample.hidden_phrases]
        return rows[range(len(own)), own]

    def at(self, sample, span):
        """Depend on the place and on what the image shows."""
        shown = len("".join(region.label for region in sample.regions))
        scores = torch.arange(len(VOCABULARY)) * (1.0 + len(words_of(sample.caption[: span.start]))) + shown
        return scores.sin().log_softmax(-1)


class Changed(Wordy):
    """A toy whose traces are changed on their way out; `change(trace, number, batch)`."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def forward(self, requests):
        traces = super().forward(requests)
        return [self.change(trace, i, len(traces)) for i, trace in enumerate(traces)]


def failing(adapter):
    """Return the ids of the checks that fail, with their reasons."""
    results = [check.result() for check in adapter_checks(adapter)]
    return {result.id: result.reason for result in results if result.outcome == "fail"}


def with_array(trace, kind, function):
    return replace(trace, arrays={r: function(a) if isinstance(r, kind) else a for r, a in trace.arrays.items()})


# Silent faults: right shapes, sums of one, equal in every batch.


class ColumnMajor(Wordy):
    """Image positions in another order than the boxes of the axis."""

    def states(self, sample, modality, stage):
        states = super().states(sample, modality, stage)
        return torch.cat([states[:1], states[1:].flip(0)]) if modality == "image" else states


class Shifted(Wordy):
    """Text positions shifted by one."""

    def states(self, sample, modality, stage):
        states = super().states(sample, modality, stage)
        return states.roll(1, 0) if modality == "text" else states


class Reversed(Wordy):
    """Stages from the last to the first."""

    def states(self, sample, modality, stage):
        return super().states(sample, modality, LAYERS - stage)


class NextToTheMask(Wordy):
    """`Words` read at the position after the hidden word."""

    def words(self, reading, sample, spans):
        if isinstance(reading, Words):
            spans = [span._replace(start=span.start + 1) for span in spans]
        return super().words(reading, sample, spans)


class OwnKeys(Wordy):
    """Attention on image positions in another order than the boxes, in an otherwise sound model."""

    flipped = True

    def joint_attention(self, sample, text, image):
        """Attend by what the positions show."""
        keys = torch.cat([self.states(sample, m, 0) for m in ("text", "image")])
        scores = (keys @ keys.T / 10).softmax(-1).expand(4, -1, -1)
        first = len(text) + 1
        parts = (scores[..., :first], scores[..., first:].flip(-1) if self.flipped else scores[..., first:])
        return torch.cat(parts, -1)


class Straight(OwnKeys):
    flipped = False


SILENT = {
    "image_positions": ColumnMajor,
    "word_positions": Shifted,
    "stage_order": Reversed,
    "words_at_the_mask": NextToTheMask,
    "attention_positions": OwnKeys,
}


@pytest.mark.parametrize("check", SILENT)
def test_a_silent_fault_fails_its_check_and_no_other(check):
    assert list(failing(SILENT[check]())) == [check]


@pytest.mark.parametrize("sound", [Wordy, Straight])
def test_without_the_fault_every_check_passes(sound):
    assert {result.outcome for result in check_adapter(sound())} == {"pass"}


# Faults that show in the answer itself.

BROKEN = {
    "batches": lambda t, i, n: with_array(t, Match, lambda a: a + n),
    "order": lambda t, i, n: with_array(t, Match, lambda a: a + (i if n == 4 else 0)),
    "shapes": lambda t, i, n: with_array(t, Hidden, lambda a: a[1:]),
    "attention_rows": lambda t, i, n: with_array(t, Attention, lambda a: a * 0.9),
    "log_probabilities": lambda t, i, n: with_array(t, Words, lambda a: a + 5),
    "candidates": lambda t, i, n: with_array(t, Words, lambda a: a.sort(-1).values),
    "features": lambda t, i, n: with_array(t, Feature, lambda a: a * 2),
    "selections": lambda t, i, n: with_array(t, Hidden, lambda a: a + len(t.arrays)),
    "word_alignment": lambda t, i, n: replace(t, text=TextAxis(t.text.spans[:-1] + t.text.spans[1:2], t.text.hidden)),
    "box_alignment": lambda t, i, n: replace(t, image=ImageAxis((None, *[Box(0, 0, 1, 1)] * 3), "region")),
    "repeated_requests": lambda t, i, n: with_array(t, Match, lambda a: a + torch.rand(())),
}


@pytest.mark.parametrize("check", BROKEN)
def test_a_fault_fails_its_check(check):
    assert check in failing(Changed(BROKEN[check]))


def test_hidden_positions_must_be_those_of_the_hidden_phrase():
    def elsewhere(trace, _number, _batch):
        return replace(trace, text=TextAxis(trace.text.spans, tuple((1,) for _ in trace.text.hidden)))

    assert list(failing(Changed(elsewhere))) == ["word_alignment"]


def test_answers_must_carry_no_gradient():
    def learning(trace, _number, _batch):
        return with_array(trace, Match, lambda a: a + torch.zeros((), requires_grad=True))

    assert "carries a gradient" in failing(Changed(learning))["shapes"]


def test_a_trace_at_another_place_is_found():
    class Sorted(GroundedToy):
        def forward(self, requests):
            return super().forward(sorted(requests, key=lambda request: request.sample.id))

    assert "came at another place" in failing(Sorted())["order"]


def test_reading_a_hidden_word_is_found():
    class Cheating(GroundedToy):
        def log_odds(self, sample):
            return super().log_odds(sample) + sum(map(ord, sample.caption)) / 1000

    assert list(failing(Cheating())) == ["hidden_words"]


def test_reading_the_end_of_a_hidden_phrase_is_found():
    """A phrase of two words with only the first one masked."""

    class Half(Wordy):
        def refusal(self, request):
            reason = super().refusal(request)
            return None if reason == "a hidden phrase must be one word" else reason

        def log_odds(self, sample):
            return super().log_odds(sample) + sum(sum(map(ord, sample.text(h)[6:])) for h in sample.hidden_phrases) / 99

    assert list(failing(Half())) == ["hidden_words"]


def test_reading_the_length_or_the_number_of_hidden_words_is_found():
    class Measuring(Wordy):
        def log_odds(self, sample):
            return super().log_odds(sample) + sum(end - start for start, end in sample.hidden_phrases)

    class Peeking(Wordy):
        """Reads a hidden word where another one is hidden as well."""

        def log_odds(self, sample):
            words = [sample.text(span) for span in sample.hidden_phrases]
            return super().log_odds(sample) + (sum(map(ord, words[0])) / 100 if len(words) > 1 else 0)

    assert list(failing(Measuring())) == ["hidden_words"]
    assert list(failing(Peeking())) == ["hidden_words"]


def test_reading_the_answer_of_a_slot_is_found():
    class Informed(Wordy):
        def log_odds(self, sample):
            return super().log_odds(sample) + sum(len(slot.answer) for slot in sample.slots)

    assert list(failing(Informed())) == ["unread_answers"]


def test_large_batches_in_another_order_are_found():
    class Backwards(Wordy):
        def forward(self, requests):
            traces = super().forward(requests)
            return traces if len(traces) <= 4 else traces[::-1]

    assert list(failing(Backwards())) == ["batches"]


def test_cutting_a_long_caption_is_found():
    def cut(trace, _number, _batch):
        return replace(trace, text=TextAxis(trace.text.spans[:100], trace.text.hidden))

    assert list(failing(Changed(cut))) == ["long_captions"]


def test_an_image_that_never_reaches_the_model_is_found():
    class Forgetful(Wordy):
        def forward(self, requests):
            (first, *_) = probe_samples(self)
            given = [replace(r, sample=replace(r.sample, image=first.image, regions=first.regions)) for r in requests]
            traces = super().forward(given)
            return [replace(trace, key=request.key) for trace, request in zip(traces, requests, strict=True)]

    assert "Match() is the same for another image" in failing(Forgetful())["image_is_read"]


def test_fusion_in_a_dual_encoder_is_found():
    class Dual(GroundedToy):
        capabilities = replace(GroundedToy.capabilities, architecture="dual-encoder")

    assert "does not fuse" in failing(Dual())["image_is_read"]


def test_answering_what_is_not_declared_is_found():
    class Modest(GroundedToy):
        capabilities = replace(GroundedToy.capabilities, readings=GroundedToy.capabilities.readings - {Match})

        def refusal(self, request):
            return None

    assert failing(Modest())["declares_what_it_answers"].startswith("Match() is not declared, but not refused either")


def test_declaring_what_cannot_be_requested_is_found():
    class Boastful(GroundedToy):
        capabilities = replace(GroundedToy.capabilities, features=frozenset())

    assert "Feature is declared, but not for any" in failing(Boastful())["declares_what_it_answers"]


# How checks are run and reported.


@pytest.mark.parametrize("family", FAMILIES)
def test_bundled_weights_pass_every_check(family):
    results = check_adapter(vlaudit.load(family, device="cpu"))
    assert {result.outcome for result in results} <= {"pass", "skip"}
    probes = {result.id: result.outcome for result in results if result.id in SILENT}
    assert probes == dict.fromkeys(SILENT, "pass") | ({"image_positions": "skip"} if family == "bert" else {})


@pytest.mark.parametrize("name", ["vilbert", "visualbert", "vl-bert"])
def test_two_names_load_the_same_weights(name):
    assert vlaudit.load(f"ctrl_{name}", device="cpu").fingerprint == vlaudit.load(name, device="cpu").fingerprint


def test_the_blind_toy_fails_where_it_is_known_to():
    expected = {"image_is_read": "it is blind by design", "candidates": "it prefers a number, not a word"}
    results = check_adapter(BlindToy, expected_failures=expected)
    assert {result.id: result.reason for result in results if result.outcome == "expected failure"} == expected


def test_a_check_that_is_expected_to_fail_must_fail():
    with pytest.raises(AdapterError, match=r"order: it was expected to fail \(slow\) and passes"):
        check_adapter(GroundedToy(), expected_failures={"order": "slow"})
    with pytest.raises(UsageError, match="there is no check 'ordr': did you mean order"):
        adapter_checks(GroundedToy(), expected_failures={"ordr": "slow"})


def test_every_failure_is_listed():
    def broken(trace, number, batch):
        return BROKEN["attention_rows"](BROKEN["features"](trace, number, batch), number, batch)

    with pytest.raises(AdapterError, match=f"2 of {len(IDS)} adapter checks fail:\n  attention_rows: .*\n  features: "):
        check_adapter(Changed(broken))


def test_what_is_no_adapter_fails_first_and_nothing_else_runs():
    outcomes = [check.result().outcome for check in adapter_checks({})]
    assert outcomes == ["fail", *["skip"] * (len(IDS) - 1)]
    with pytest.raises(AdapterError, match=r"1 of .* adapter checks fail:\n  is_an_adapter: dict is no model adapter"):
        check_adapter({})


def test_a_refused_plain_sample_fails_before_answers_are_read():
    class Shy(GroundedToy):
        def refusal(self, request):
            return "no thanks" if request.sample.id == "probe-2" else super().refusal(request)

    assert list(failing(Shy())) == ["plain_samples_are_answered"]
    assert failing(Shy())["plain_samples_are_answered"] == "probe-2 is refused, no thanks"


def test_an_exception_of_the_adapter_fails_the_check_that_meets_it():
    class Fragile(GroundedToy):
        def forward(self, requests):
            if len(requests) > 1:
                raise IndexError("list index out of range")
            return super().forward(requests)

    assert failing(Fragile())["batches"] == "it raised IndexError: list index out of range"
    with pytest.raises(IndexError):
        {check.id: check for check in adapter_checks(Fragile())}["batches"]()


def test_the_adapter_is_made_once_and_not_before_a_check_runs():
    made = []

    def make():
        made.append(GroundedToy())
        return made[-1]

    checks = adapter_checks(make)
    assert not made
    for check in checks[:5]:
        check()
    assert len(made) == 1


def test_a_class_that_takes_options_is_made_without_a_checkpoint():
    class Optioned(Wordy):
        def __init__(self, options):
            super().__init__()
            self.options = options

    subject = adapter_checks(Optioned)[0]._subject
    assert isinstance(subject.made, Optioned)
    assert subject.made.options.checkpoint is None


def test_an_answer_that_is_no_tensor_is_named():
    class Plain(Wordy):
        def _read(self, reading, sample, text, image):
            answer = super()._read(reading, sample, text, image)
            return float(answer) if isinstance(reading, Match) else answer

    with pytest.raises(AdapterError, match=r"the answer to Match\(\) must be a torch tensor, got float -?4"):
        smoke_test(Plain())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda traces: None, "one Trace per request, for 2 requests got None"),
        (lambda traces: traces[:1], "for 2 requests got 1 of Trace"),
        (lambda traces: [with_array(t, Match, lambda a: a.expand(3)) for t in traces], r"got shape \(3,\)"),
    ],
)
def test_answers_of_another_form_are_named_when_the_model_is_loaded(answer, message):
    class Odd(Wordy):
        def forward(self, requests):
            return answer(super().forward(requests))

    with pytest.raises(AdapterError, match=message):
        smoke_test(Odd())


def test_a_factory_that_fails_is_called_once():
    calls = []

    def make():
        calls.append(1)
        raise OSError("no such file")

    results = [check.result() for check in adapter_checks(make)]
    assert results[0].reason == "it raised OSError: no such file"
    assert {result.outcome for result in results[1:]} == {"skip"}
    assert calls == [1]


def test_checks_are_tests_of_ones_own(pytester):
    pytester.makepyfile(
        """
import pytest, vlaudit
from vlaudit.models.toy import BlindToy

KNOWN = {"image_is_read": "blind by design"}

@pytest.mark.parametrize("check", vlaudit.adapter_checks(BlindToy, expected_failures=KNOWN), ids=str)
def test_adapter(check):
    check()
"""
    )
    done = pytester.runpytest_inprocess("-v", "-rs", "-p", "no:cacheprovider")
    done.assert_outcomes(passed=len(IDS) - 3, skipped=2, failed=1)
    done.stdout.fnmatch_lines(
        [
            "*test_adapter?is_an_adapter? PASSED*",
            "*test_adapter?candidates? FAILED*",
            "SKIPPED*: fails as expected: blind by design",
            "SKIPPED*: the adapter declares no HiddenPieces",
        ]
    )


# The boundary itself.


def test_capabilities_give_the_reason_for_a_missing_reading():
    bare = Capabilities("text-only", frozenset({Hidden, Attention, Feature}), None, hidden={"text": (0, 1)})
    assert bare.lacks(Hidden("text", (1,))) is None
    assert bare.lacks(Hidden("text", (1, 7))) == "it has no hidden text states at [7], only at [0, 1]"
    assert bare.lacks(Hidden("image")) == "it has no hidden image states"
    assert bare.lacks(Attention("text", "image")) == "it has no attention of text on image"
    assert bare.lacks(Feature("image")) == "it has no image feature"
    assert bare.lacks(HiddenPieces()) == "a text-only model of this kind has no HiddenPieces"
    assert re.match("a text-only model", bare.lacks(RegionClasses()))


def test_keys_do_not_depend_on_the_readings():
    toy = GroundedToy()
    one, other = probe_samples(toy)[:2]
    assert ForwardRequest(one, frozenset({Match()})).key == ForwardRequest(replace(one, id="x"), frozenset()).key
    assert ForwardRequest(one, frozenset()).key != ForwardRequest(other, frozenset()).key
    assert ForwardRequest(one, frozenset()).key != ForwardRequest(one.hiding(one.slots[0]), frozenset()).key
