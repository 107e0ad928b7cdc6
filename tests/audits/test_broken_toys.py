"""Each revised criterion fails the model with its defect, and no model with another one."""

import importlib
from functools import cache

import pytest
import small_runs
import torch

from vlaudit.auditing.cases import cases_of
from vlaudit.datasets.scenes import sample
from vlaudit.models.toy import GroundedToy
from vlaudit.samples import SIDES
from vlaudit.seeds import generator

UNITS = 120


@cache
def samples():
    return [sample(12, index) for index in range(UNITS)]


def verdicts(finding, model, *names):
    """Return the verdicts on some criteria of an audit, whether the model can read the stimuli or not."""
    cases = [case for case in cases_of(importlib.import_module(f"audits.test_{finding}")) if case.name in names]
    assert len(cases) == len(names)
    done = small_runs.run_of(cases, model, samples())
    found = small_runs.verdicts(done, cases, model.name, competent=False)
    return [found[name] for name in names]


def one_word(words, word, p):
    """Return the probability `p` for one word, the rest shared by the others."""
    right = torch.tensor([one == word for one in words], dtype=torch.float32)
    return p * right + (1 - p) * (1 - right) / (1 - right).sum()


class Stubborn(GroundedToy):
    """Answers the first choice always, and matches nothing; the true word and caption are only a little likelier."""

    name = "stubborn"

    def word_probabilities(self, sample, span, words):
        return 0.9 * one_word(words, words[0], 0.9) + 0.1 * super().word_probabilities(sample, span, words)

    def log_odds(self, sample):
        return -6.0 + super().log_odds(sample) / 100


class Biased(GroundedToy):
    """Says left with probability `p_left` for every image."""

    name = "biased"

    def __init__(self, p_left):
        super().__init__()
        self.p_left = p_left

    def word_probabilities(self, sample, span, words):
        if set(words) != set(SIDES):
            return super().word_probabilities(sample, span, words)
        return one_word(words, "left", self.p_left)


class Noisy(GroundedToy):
    """Answers a colour at random for three of ten images, before and after any change of them."""

    name = "noisy"

    def word_probabilities(self, sample, span, words):
        rng = generator(0, "noisy", sample.image.key)
        if rng.random() > 0.3:
            return super().word_probabilities(sample, span, words)
        return one_word(words, words[int(rng.integers(len(words)))], 0.9)


class Habitual(GroundedToy):
    """Answers the colour that the object usually has, here: had before the change."""

    name = "habitual"

    def word_probabilities(self, sample, span, words):
        return one_word(words, sample.text(span), 0.9)


class ShortSighted(GroundedToy):
    """Names objects in one half of the image only."""

    name = "short-sighted"

    def __init__(self, axis, share):
        super().__init__()
        self.axis, self.share = axis, share

    def word_probabilities(self, sample, span, words):
        slot = next(slot for slot in sample.slots if (slot.start, slot.end) == tuple(span))
        size = (sample.image.width, sample.image.height)[self.axis]
        centers = [sample.region(name).box.center[self.axis] / size for name in slot.region_ids]
        if slot.answer in words and centers and max(centers) > self.share:
            return one_word(words, words[(words.index(slot.answer) + 1) % len(words)], 0.9)
        return super().word_probabilities(sample, span, words)


def test_use_of_the_image_does_not_need_right_answers():
    """The stubborn model names nothing and accepts nothing, but it looks: another one than a blind one."""
    names = ("competence[words]", "image_use[word]", "image_use[match]", "match_decides")
    unable, word, match, decides = verdicts("text_dominance", Stubborn(), *names)
    assert (unable.outcome, word.outcome, match.outcome) == ("fail", "pass", "pass")
    assert (decides.outcome, decides.estimate.value) == ("fail", 0)  # it prefers true captions, and rejects them


@pytest.mark.parametrize(("p_left", "outcome"), [(0.52, "pass"), (0.75, "fail"), (0.25, "fail")])
def test_a_preferred_side_is_one_of_probability(p_left, outcome):
    """At 0.52 the answer is always left: a matter of `mirror_consistency`, which fails."""
    preference, consistency = verdicts("mirror_skew", Biased(p_left), "side_preference", "mirror_consistency")
    assert preference.estimate.value == pytest.approx(p_left, abs=1e-6)
    assert (preference.outcome, consistency.outcome) == (outcome, "fail")


def test_noise_is_no_habit():
    """As many errors before as after recolouring do not fail; the former colour as the answer does."""
    (noisy,) = verdicts("color_bias", Noisy(), "recolor_follows_image")
    assert noisy.outcome != "fail"
    assert abs(noisy.estimate.value) < 0.2  # three standard errors of 97 differences
    (habitual,) = verdicts("color_bias", Habitual(), "recolor_follows_image")
    assert (habitual.outcome, habitual.estimate.value) == ("fail", -1)


@pytest.mark.parametrize(
    ("model", "axis", "other"),
    [
        (ShortSighted(1, 0.65), "vertical", "horizontal"),
        (ShortSighted(0, 0.6), "horizontal", "vertical"),
    ],
    ids=["vertical", "horizontal"],
)
def test_positions_are_tested_along_both_axes(model, axis, other):
    names = (f"position_uniform[{axis}]", f"position_uniform[{other}]")
    biased, unbiased = verdicts("mirror_skew", model, *names)
    assert biased.outcome == "fail"
    assert unbiased.outcome != "fail"


def test_uniform_attention_of_cls_is_at_the_neutral_value():
    """[CLS] of the grounded toy attends to every position alike."""
    (verdict,) = verdicts("text_dominance", GroundedToy(), "cls_importance")
    assert verdict.outcome == "pass"
    assert verdict.estimate.value == pytest.approx(0.5, abs=1e-6)
