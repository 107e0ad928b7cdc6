"""Every perturbation is a value with a call: the properties that `apply`, the plan and the report rely on."""

import dataclasses
import pickle
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from vlaudit import perturbations
from vlaudit.errors import UsageError
from vlaudit.perturbations import AskOther, Perturbation, apply
from vlaudit.samples import Sample, Slot

SAMPLE = Sample("s", "i", None, "a blue cat", slots=(Slot(2, 6, "color"),))
KINDS = [getattr(perturbations, name) for name in perturbations.__all__ if name[0].isupper()]
KINDS.remove(Perturbation)


def made(kind):
    return kind(("color",)) if kind is AskOther else kind()


@pytest.mark.parametrize("kind", KINDS)
def test_a_perturbation_is_a_value(kind):
    """Frozen, equal where its settings are equal, hashable, and sent to another process unchanged."""
    perturbation = made(kind)
    assert isinstance(perturbation, Perturbation)
    assert perturbation == made(kind)
    assert hash(perturbation) == hash(made(kind))
    assert pickle.loads(pickle.dumps(perturbation)) == perturbation  # noqa: S301 - we wrote it the moment before
    with pytest.raises(dataclasses.FrozenInstanceError):
        perturbation.drawn_for = "id"


@pytest.mark.parametrize("kind", KINDS)
def test_the_repr_states_every_setting(kind):
    """The draw is derived from it, so two settings must not share one."""
    perturbation = made(kind)
    shown = repr(perturbation)
    for field in dataclasses.fields(perturbation):
        assert repr(getattr(perturbation, field.name)) in shown


@dataclass(frozen=True)
class Drawing:
    """Writes its draw into the caption, so that it can be seen."""

    setting: int = 0
    drawn_for: ClassVar[str] = "image_id"

    def __call__(self, sample, rng):
        return replace(sample, caption=f"{sample.caption} {rng.integers(2**60)}")


def drawn(perturbation, seed=0, **identity):
    return apply([perturbation], replace(SAMPLE, **identity), seed).caption


def test_a_draw_belongs_to_the_request_and_to_nothing_else():
    """Another setting, seed or image is another draw; another caption of the image is not."""
    draws = [
        drawn(Drawing()),
        drawn(Drawing(setting=1)),
        drawn(Drawing(), seed=1),
        drawn(Drawing(), image_id="another"),
    ]
    assert len(set(draws)) == 4
    assert drawn(Drawing(), id="another") == drawn(Drawing()) == draws[0]


def test_steps_are_applied_in_their_order():
    """Each with its own draw."""
    both = apply([Drawing(), Drawing(setting=1)], SAMPLE, 0).caption
    assert both == f"{drawn(Drawing())} {drawn(Drawing(setting=1)).split()[-1]}"


def test_no_perturbations_are_nothing():
    """The sample itself."""
    assert apply([], SAMPLE, 0) is SAMPLE


def test_a_perturbation_that_declares_to_draw_nothing_is_held_to_it():
    @dataclass(frozen=True)
    class Lying:
        drawn_for: ClassVar[None] = None

        def __call__(self, sample, rng):
            return replace(sample, caption=f"{rng.integers(9)}")

    with pytest.raises(UsageError, match=r"drawn_for = None .* rng.integers"):
        apply([Lying()], SAMPLE, 0)
