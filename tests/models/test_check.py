"""Every promise that `check_adapter` holds an adapter to is shown to be missed by an adapter that breaks it."""

import re
from dataclasses import replace

import pytest
import torch

from vlaudit import check_adapter
from vlaudit.errors import AdapterError
from vlaudit.models.base import Capabilities, ForwardRequest
from vlaudit.models.toy import GroundedToy
from vlaudit.samples import Box
from vlaudit.traces import Attention, Feature, Hidden, HiddenPieces, ImageAxis, Match, TextAxis, Words


class Changed(GroundedToy):
    """A toy whose traces are changed on their way out; `change(trace, number, batch)`."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def forward(self, requests):
        traces = super().forward(requests)
        return [self.change(trace, i, len(traces)) for i, trace in enumerate(traces)]


def with_array(trace, kind, function):
    return replace(trace, arrays={r: function(a) if isinstance(r, kind) else a for r, a in trace.arrays.items()})


BROKEN = {
    "a batch of one equals a batch of four": lambda t, i, n: with_array(t, Match, lambda a: a + n),
    "order changes nothing": lambda t, i, n: with_array(t, Match, lambda a: a + (i if n > 1 else 0)),
    "declared readings have the stated axes": lambda t, i, n: with_array(t, Hidden, lambda a: a[1:]),
    "attention rows sum to one": lambda t, i, n: with_array(t, Attention, lambda a: a * 0.9),
    "log-probabilities are at most 0": lambda t, i, n: with_array(t, Words, lambda a: a + 5),
    "words are fully aligned": lambda t, i, n: replace(t, text=TextAxis(t.text.spans[:2], t.text.hidden)),
    "boxes are fully aligned": lambda t, i, n: replace(t, image=ImageAxis((None, Box(0, 0, 1, 1)) * 2, "region")),
}


@pytest.mark.parametrize("promise", BROKEN)
def test_a_broken_promise_is_named(promise):
    with pytest.raises(AdapterError, match=re.escape(promise)):
        check_adapter(Changed(BROKEN[promise]))


def test_a_sound_adapter_keeps_all():
    check_adapter(Changed(lambda trace, _number, _batch: trace))


def test_a_trace_at_another_place_is_named():
    class Reversed(GroundedToy):
        def forward(self, requests):
            return super().forward(sorted(requests, key=lambda request: request.sample.id))

    with pytest.raises(AdapterError, match="came at another place"):
        check_adapter(Reversed())


def test_reading_a_hidden_word_is_named():
    class Cheating(GroundedToy):
        def log_odds(self, sample):
            return float(sum(map(ord, sample.caption)))

    with pytest.raises(AdapterError, match="a hidden word is not read: Match"):
        check_adapter(Cheating())


def test_answering_what_is_not_declared_is_named():
    class Modest(GroundedToy):
        capabilities = replace(GroundedToy.capabilities, readings=GroundedToy.capabilities.readings - {Match})

        def refusal(self, request):
            return None

    with pytest.raises(AdapterError, match=r"refused with a reason: Match\(\) was not"):
        check_adapter(Modest())


def test_a_refused_plain_sample_is_named():
    class Shy(GroundedToy):
        def refusal(self, request):
            return "no thanks" if request.sample.id == "probe-2" else super().refusal(request)

    with pytest.raises(AdapterError, match="probe-2 is refused, no thanks"):
        check_adapter(Shy())


def test_what_is_no_adapter_is_said_so():
    with pytest.raises(AdapterError, match="dict is no model adapter"):
        check_adapter({})


def test_capabilities_say_why_a_reading_is_lacking():
    bare = Capabilities("text-only", frozenset({Hidden, Attention, Feature}), None, hidden={"text": (0, 1)})
    assert bare.lacks(Hidden("text", (1,))) is None
    assert bare.lacks(Hidden("text", (1, 7))) == "it has no hidden text states at [7], only at [0, 1]"
    assert bare.lacks(Hidden("image")) == "it has no hidden image states"
    assert bare.lacks(Attention("text", "image")) == "it has no attention of text on image"
    assert bare.lacks(Feature("image")) == "it has no image feature"
    assert bare.lacks(HiddenPieces()) == "a text-only model of this kind has no HiddenPieces"


def test_equal_inputs_have_equal_keys_whatever_is_read():
    from vlaudit.models.probe_samples import probe_samples

    toy = GroundedToy()
    one, other = probe_samples(toy)[:2]
    assert ForwardRequest(one, frozenset({Match()})).key == ForwardRequest(replace(one, id="x"), frozenset()).key
    assert ForwardRequest(one, frozenset()).key != ForwardRequest(other, frozenset()).key
    assert ForwardRequest(one, frozenset()).key != ForwardRequest(one.hiding(one.slots[0]), frozenset()).key


def test_answers_carry_no_gradient():
    toy = GroundedToy()
    from vlaudit.models.probe_samples import probe_samples

    trace = toy.forward([ForwardRequest(probe_samples(toy)[0], frozenset({Match()}))])[0]
    assert isinstance(trace[Match()], torch.Tensor)
    assert not trace[Match()].requires_grad
