"""Controls: each has its defect and nothing else."""

from copy import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import vlaudit
from vlaudit.auditing.sources import find_cases
from vlaudit.controls import CONTROLS, check_control
from vlaudit.controls.adapter import with_control
from vlaudit.controls.answers import HABIT, HABIT_SHARE, NAN_SHARE, NOISE
from vlaudit.datasets.scenes import Scenes
from vlaudit.errors import RequestError, UsageError
from vlaudit.models.base import AttentionShape, ForwardRequest
from vlaudit.models.toy import GroundedToy
from vlaudit.perturbations import Grayscale, Mirror, SwapSides, apply
from vlaudit.samples import COLORS, Image
from vlaudit.traces import Attention, Feature, Hidden, Match, Words

WHOLE, CROSS, STATES = Words(), Attention("text", "image"), Hidden("text")
BEHAVIOUR = (WHOLE, Match(), STATES, CROSS)
OF_NETWORKS = ("cut-attention", "untrained")


@pytest.fixture(scope="module")
def samples():
    return list(Scenes(7, limit=16))


@pytest.fixture(scope="module")
def albef():
    return vlaudit.load("albef", device="cpu")


@pytest.fixture(scope="module")
def control(albef, samples):
    made = {}

    def make(name):
        return made.setdefault(name, with_control(name, albef, samples))

    return make


def asked(sample, kinds=("color", "object", "hand side", "position side")):
    """Return the sample with its first slot of these kinds hidden."""
    slot = next(slot for slot in sample.slots if slot.kind in kinds)
    return sample.asking(slot).hiding(slot)


def with_image_of(sample, other):
    """Return the sample with the image and regions of another; its words name none of them."""
    return replace(sample, image=other.image, regions=other.regions, relations=(), phrases=(), slots=())


def traces(adapter, samples, *readings):
    return adapter.forward([ForwardRequest(sample, frozenset(readings)) for sample in samples])


def read(adapter, sample, reading):
    return traces(adapter, [sample], reading)[0][reading]


def assert_same(one, other, samples, *readings, but=()):
    """Compare the answers of two adapters, or those of one pair of samples per adapter."""
    for sample in samples:
        for reading in readings:
            if reading not in but:
                torch.testing.assert_close(read(one, sample, reading), read(other, sample, reading))


# --- images and captions


def test_a_blind_model_gives_equal_answers_to_all_images_with_one_caption(control, albef, samples):
    blind, (first, *others) = control("blind"), map(asked, samples[:4])
    shown = [with_image_of(first, other) for other in others]
    for reading in BEHAVIOUR:
        for other in shown:
            assert torch.equal(read(blind, other, reading), read(blind, first, reading))
    assert not torch.equal(read(albef, shown[0], Match()), read(albef, first, Match()))


def test_a_blind_model_reads_an_image_of_the_run(control, albef, samples):
    own = asked(samples[0])
    shown = [replace(own, image=other.image) for other in samples]
    answer = read(control("blind"), own, Match())
    assert any(torch.allclose(answer, read(albef, one, Match())) for one in shown)


class Spy(GroundedToy):
    """Remembers the samples that it reads."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, requests):
        self.seen += [request.sample for request in requests]
        return super().forward(requests)


def test_a_blind_model_reads_boxes_and_features_together(samples):
    def featured(sample):
        regions = [replace(region, features=np.full(3, hash(region.box) % 97.0)) for region in sample.regions]
        return replace(sample, regions=tuple(regions))

    spy, given = Spy(), [featured(sample) for sample in samples]
    traces(with_control("blind", spy, given), given[:4], Match())
    pairs = {(region.box, tuple(region.features)) for sample in given for region in sample.regions}
    for own, seen in zip(given, spy.seen, strict=False):
        assert [region.id for region in seen.regions] == [region.id for region in own.regions]
        assert {(region.box, tuple(region.features)) for region in seen.regions} <= pairs


def test_a_blind_models_image_has_the_size_of_the_true_one(samples):
    spy = Spy()
    own = replace(samples[0], image=Image.from_array(np.zeros((48, 192, 3), np.uint8)))
    (trace,) = traces(with_control("blind", spy, samples), [own], Match())
    (seen,) = spy.seen
    assert seen.image.pixels().shape == (48, 192, 3)
    assert all(region.box.inside(192, 48) for region in seen.regions)
    assert [box for box in trace.image.boxes if box] == [region.box for region in own.regions]


def test_a_deaf_model_gives_equal_matches_to_all_captions_of_one_image(control, albef, samples):
    deaf, (first, *others) = control("deaf"), samples[:4]
    for other in others:
        heard = replace(first, caption=other.caption, phrases=(), slots=())
        assert torch.equal(read(deaf, heard, Match()), read(deaf, first, Match()))
        assert not torch.equal(read(albef, heard, Match()), read(albef, first, Match()))


def test_a_deaf_model_reads_no_word_around_the_hidden_one(control, samples):
    deaf = control("deaf")
    slots = [slot for slot in samples[0].slots if slot.kind == "color"]
    hidden = asked(samples[0], ("object", "person"))
    slot = next(slot for slot in slots if slot.choices)
    word = next(word for word in slot.choices if len(word) == len(slot.answer) and word != slot.answer)
    other = replace(hidden, caption=hidden.caption[: slot.start] + word + hidden.caption[slot.end :])
    for reading in (WHOLE, STATES):
        assert torch.equal(read(deaf, other, reading), read(deaf, hidden, reading))
    assert read(deaf, hidden, WHOLE).shape[0] == 1


def test_a_mirror_blind_model_gives_an_image_and_its_mirror_image_equal_answers(control, albef, samples):
    blind, changed = control("mirror-blind"), []
    for sample in map(asked, samples[:6]):
        mirrored = apply([Mirror()], sample, 0)
        (one,), (other,) = (traces(blind, [each], *BEHAVIOUR) for each in (sample, mirrored))
        for reading in BEHAVIOUR:
            torch.testing.assert_close(one[reading], other[reading])
        for region, flipped in zip(sample.regions, mirrored.regions, strict=True):
            np.testing.assert_allclose(one.image.weights(region.box), other.image.weights(flipped.box), atol=1e-9)
        read_as = [torch.allclose(one[Match()], read(albef, each, Match())) for each in (sample, mirrored)]
        assert any(read_as)
        changed.append(not read_as[0])
    assert any(changed)


def test_a_gray_model_answers_as_the_model_does_to_gray_images(control, albef, samples):
    for sample in map(asked, samples[:3]):
        gray = apply([Grayscale()], sample, 0)
        for reading in BEHAVIOUR:
            assert torch.equal(read(control("gray"), sample, reading), read(albef, gray, reading))


# --- answers


def test_swapped_sides_are_exchanged_and_nothing_else(control, albef, samples):
    swapped, ids = control("side-swapped"), albef.vocabulary
    for sample in map(asked, samples[:4]):
        base, found = read(albef, sample, WHOLE), read(swapped, sample, WHOLE)
        assert torch.equal(found[:, ids["left"]], base[:, ids["right"]])
        assert torch.equal(found[:, ids["right"]], base[:, ids["left"]])
        others = [column for word, column in ids.items() if word not in ("left", "right")]
        assert torch.equal(found[:, others], base[:, others])
    assert_same(swapped, albef, samples[:2], STATES, CROSS)


def test_the_match_of_a_side_is_that_of_the_other_side(control, albef, samples):
    sided = [sample for sample in samples if any(slot.kind.endswith("side") for slot in sample.slots)]
    plain = [sample for sample in samples if sample not in sided]
    assert sided
    assert plain
    for sample in sided[:4]:
        other = apply([SwapSides()], sample, 0)
        torch.testing.assert_close(read(control("side-swapped"), sample, Match()), read(albef, other, Match()))
    assert_same(control("side-swapped"), albef, plain[:2], Match())


def test_a_match_exchanged_twice_is_the_match(control, albef, samples):
    once = control("exchanged-match")
    assert_same(with_control("exchanged-match", once, samples), albef, map(asked, samples[:3]), *BEHAVIOUR)
    for sample in samples[:3]:
        assert torch.equal(read(once, sample, Match()), -read(albef, sample, Match()))


def test_a_color_habit_raises_one_color_on_a_share_of_the_images():
    toy, given = GroundedToy(), [one for one in Scenes(9, limit=160) if any(slot.kind == "color" for slot in one.slots)]
    habit, share = with_control("color-habit", toy, given), 0
    reading = Words(COLORS)
    units = [asked(sample, ("color",)) for sample in given]
    for one, other in zip(traces(toy, units, reading), traces(habit, units, reading), strict=True):
        base, found = one[reading][0], other[reading][0]
        column = reading.words.index(HABIT)
        share += (not torch.equal(base, found)) / len(given)
        assert torch.equal(base, found) or found.argmax() == column
        assert found.exp().sum().item() == pytest.approx(1, abs=1e-5)
        others = [i for i in range(len(base)) if i != column]
        assert (found - base)[others].std().item() == pytest.approx(0, abs=1e-4)
    assert share == pytest.approx(HABIT_SHARE, abs=0.12)


def test_a_color_habit_keeps_a_distribution_over_the_vocabulary(control, albef, samples):
    colored = [asked(sample, ("color",)) for sample in samples if any(slot.kind == "color" for slot in sample.slots)]
    for sample in colored[:6]:
        torch.testing.assert_close(read(control("color-habit"), sample, WHOLE).exp().sum(-1), torch.ones(1))
    assert_same(control("color-habit"), albef, samples[:2], Match(), STATES)


@given(st.permutations(range(5)))
@settings(max_examples=20)
def test_negated_words_reverse_the_order(order):
    class Ranked(GroundedToy):
        def word_probabilities(self, sample, span, words):
            return torch.tensor([2.0 ** -(1 + order[int(word)]) for word in words])

    sample = replace(asked(next(iter(Scenes(0, limit=1)))))
    reading = Words(tuple(map(str, range(5))))
    base, found = read(Ranked(), sample, reading), read(with_control("negated-words", Ranked(), []), sample, reading)
    assert found.argsort().tolist() == base.argsort(descending=True).tolist()
    assert sorted(found.flatten().tolist()) == sorted(base.flatten().tolist())


def test_constant_answers_are_equal_for_all_inputs(control, samples):
    constant = control("constant")
    for sample in map(asked, samples[1:3]):
        first = asked(samples[0])
        for reading in (WHOLE, Match(), Feature("text"), Feature("image")):
            assert torch.equal(read(constant, sample, reading), read(constant, first, reading))
        length = min(len(trace.text) for trace in traces(constant, [sample, first], STATES))
        assert torch.equal(read(constant, sample, STATES)[:, :length], read(constant, first, STATES)[:, :length])


def test_noise_is_fixed_for_an_input_and_of_the_stated_size(samples):
    toy, given = GroundedToy(), list(Scenes(3, limit=150))
    noisy = with_control("noisy", toy, samples)
    found = torch.stack([trace[Match()] for trace in traces(noisy, given, Match())])
    again = torch.stack([trace[Match()] for trace in traces(noisy, given[9::-1], Match(), CROSS)][::-1])
    assert torch.equal(found[:10], again)
    noise = found - torch.stack([trace[Match()] for trace in traces(toy, given, Match())])
    assert noise.std().item() == pytest.approx(NOISE, rel=0.25)
    assert abs(noise.mean().item()) < 4 * NOISE / 12


def test_noisy_words_are_a_distribution(control, albef, samples):
    found = read(control("noisy"), asked(samples[0]), WHOLE)
    torch.testing.assert_close(found.exp().sum(-1), torch.ones(1))
    assert not torch.allclose(found, read(albef, asked(samples[0]), WHOLE))


def test_nan_comes_on_a_share_of_the_images(samples):
    given = list(Scenes(5, limit=200))
    nan = with_control("nan", GroundedToy(), samples)
    broken = [bool(trace[Match()].isnan()) for trace in traces(nan, given, Match())]
    assert np.mean(broken) == pytest.approx(NAN_SHARE, abs=0.1)
    assert [bool(trace[CROSS].isnan().all()) for trace in traces(nan, given[:20], CROSS)] == broken[:20]


def test_shuffled_heads_are_the_same_heads_in_another_order(control, albef, samples):
    orders = set()
    for sample in samples[:3]:
        base, found = (read(adapter, sample, CROSS).flatten(0, 1) for adapter in (albef, control("shuffled-heads")))
        order = [next(i for i, head in enumerate(base) if torch.equal(head, one)) for one in found]
        assert sorted(order) == list(range(len(base)))
        orders.add(tuple(order))
    assert len(orders) == 3
    assert_same(control("shuffled-heads"), albef, map(asked, samples[:2]), WHOLE, Match(), STATES)


# --- networks


def test_with_cut_attention_text_never_depends_on_the_image(control, albef, samples):
    cut, (first, other) = control("cut-attention"), map(asked, samples[:2])
    shown = replace(first, image=other.image)
    for reading in BEHAVIOUR:
        assert torch.equal(read(cut, first, reading), read(cut, shown, reading))
    assert_same(cut, albef, [first], Feature("image"), Feature("text"), Hidden("image"))


def test_a_joint_network_is_cut_too(samples):
    uniter = vlaudit.load("uniter", device="cpu")
    cut, (first, other) = with_control("cut-attention", uniter, samples), map(asked, samples[:2])
    shown = replace(other, caption=first.caption, hidden_phrases=first.hidden_phrases, phrases=(), slots=())
    shown = replace(shown, regions=(shown.regions * 2)[: len(first.regions)], relations=())
    shown = replace(shown, regions=tuple(replace(one, id=str(i)) for i, one in enumerate(shown.regions)))
    assert torch.equal(read(cut, first, Match()), read(cut, shown, Match()))
    assert not torch.equal(read(uniter, first, Match()), read(uniter, shown, Match()))


def test_an_untrained_model_has_weights_of_its_own(control, albef, samples):
    before = read(albef, asked(samples[0]), WHOLE)
    again = with_control("untrained", albef, samples)
    assert_same(control("untrained"), again, [asked(samples[0])], WHOLE, Match())
    assert not torch.allclose(read(again, asked(samples[0]), WHOLE), before)
    assert torch.equal(read(albef, asked(samples[0]), WHOLE), before)


# --- the adapter

SAME_FOR_ALL_IMAGES = {"image_is_read": "it is blind", "image_positions": "it is blind"}
EXPECTED = {
    "blind": {
        **SAME_FOR_ALL_IMAGES,
        "features": "the image is chosen by the caption",
        "hidden_words": "the toy takes its truth from slots, which this check removes",
    },
    "deaf": {"word_positions": "it is deaf", "image_is_read": "the toy matches slots, which another caption lacks"},
    "negated-words": {"candidates": "the order is that among the candidates"},
    "constant": {**SAME_FOR_ALL_IMAGES, "word_positions": "it is constant"},
    "shuffled-heads": {"attention_positions": "its heads are others for every image"},
    "cut-attention": {"image_is_read": "its text reads no image"},
}


@pytest.mark.parametrize("name", CONTROLS)
def test_the_contract_of_an_adapter_holds_but_for_the_defect(control, samples, name):
    made = control(name) if name in OF_NETWORKS else with_control(name, GroundedToy(), samples)
    vlaudit.check_adapter(made, expected_failures=EXPECTED.get(name, {}))


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_states_what_it_is(control, albef, samples, name):
    made = control(name)
    assert (made.name, made.capabilities, made.vocabulary) == (albef.name, albef.capabilities, albef.vocabulary)
    assert made.provenance == albef.provenance
    assert made.fingerprint == f"{albef.fingerprint}+{name}"
    request = ForwardRequest(replace(samples[0], caption="word " * 90), frozenset({Match()}))
    assert made.refusal(request) == albef.refusal(request)
    with pytest.raises(RequestError):
        made.forward([request])


class TextOnly(GroundedToy):
    capabilities = replace(GroundedToy.capabilities, visual_unit=None)


class OfGivenFeatures(GroundedToy):
    capabilities = replace(GroundedToy.capabilities, region_width=5)


class OneHead(GroundedToy):
    capabilities = replace(GroundedToy.capabilities, attention={("text", "image"): AttentionShape((0,), 1)})


@pytest.mark.parametrize(
    ("name", "model", "reason"),
    [
        ("blind", TextOnly(), "it reads no image"),
        ("mirror-blind", TextOnly(), "it reads no image"),
        ("gray", TextOnly(), "it reads no image"),
        ("gray", OfGivenFeatures(), "it reads given region features"),
        ("mirror-blind", OfGivenFeatures(), "it reads given region features"),
        ("shuffled-heads", OneHead(), "it reports no attention of several heads"),
        ("cut-attention", GroundedToy(), "its network is not one of"),
        ("untrained", GroundedToy(), "its network is not one of"),
    ],
)
def test_a_control_that_a_model_cannot_have_is_a_usage_error(samples, name, model, reason):
    with pytest.raises(UsageError, match=f"--control {name}: not available for toy-grounded: {reason}"):
        with_control(name, model, samples)


def test_a_network_without_initial_weights_cannot_be_untrained(albef, samples):
    other = copy(albef)
    other.network = torch.nn.Identity()
    with pytest.raises(UsageError, match="not available for albef: Identity cannot draw fresh weights"):
        with_control("untrained", other, samples)


def test_one_image_is_too_few_to_show_another(albef, samples):
    for name in ("blind", "deaf"):
        with pytest.raises(UsageError, match="the data have no two samples"):
            with_control(name, albef, samples[:1])


def test_a_control_owns_criteria_that_exist():
    cases = [case.id for case in find_cases()]
    for name, control in CONTROLS.items():
        for pattern in control.must_fail:
            assert any(replace(control, must_fail=(pattern,)).owns(case) for case in cases), (name, pattern)


def test_brackets_of_a_criterion_are_no_pattern():
    control = replace(CONTROLS["nan"], must_fail=("a.links[people*]", "b.*"))
    assert [control.owns(one) for one in ("a.links[people-x]", "a.linksp", "b.x", "c.x")] == [True, False, True, False]


# --- runs


def test_an_unknown_control_is_a_usage_error_with_the_nearest():
    with pytest.raises(UsageError, match=r"--control blnd: there is no such control: did you mean blind\?"):
        check_control("--control", "blnd")
    with pytest.raises(UsageError, match=r"control: blnd: there is no such control"):
        vlaudit.audit("toy-grounded", control="blnd")
    assert check_control("--control", None) is None


def test_an_audit_of_a_control_fails_and_says_so():
    result = vlaudit.audit("albef", device="cpu", control="exchanged-match", limit=24, findings=["text_dominance"])
    (subject,) = result.document.subject
    assert subject.checkpoint == "bundled, control exchanged-match"
    assert subject.fingerprint.endswith("+exchanged-match")
    assert result.verdicts["albef"]["text_dominance.image_use[match]"].outcome == "fail"
    assert not result.passed


def test_an_adapter_of_ones_own_can_have_a_control():
    result = vlaudit.audit(GroundedToy(), control="negated-words", limit=12, findings=["text_dominance"])
    assert result.document.subject[0].checkpoint == "none, control negated-words"


def test_nan_is_an_error_of_every_criterion_that_suits_the_model():
    result = vlaudit.audit("toy-grounded", control="nan", limit=20, findings=["text_dominance"])
    assert {one.outcome for one in result.verdicts["toy-grounded"].values()} <= {"error", "not applicable"}
    assert not result.passed
