"""Every perturbation is settings and a call: what `apply`, the plan and the report rely on."""

import dataclasses
import pickle

import pytest

from vlaudit import perturbations
from vlaudit.perturbations import Mismatch, Perturbation, apply
from vlaudit.samples import Sample, Slot

PARTNER = Sample("partner", "other", None, "a blue cat", slots=(Slot(2, 6, "color"),))
KINDS = [getattr(perturbations, name) for name in perturbations.__all__ if name[0].isupper()]
KINDS.remove(Perturbation)


def made(kind):
    return kind(PARTNER) if kind is Mismatch else kind()


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
        value = getattr(perturbation, field.name)
        assert (value.id if isinstance(value, Sample) else repr(value)) in shown


def test_no_perturbations_are_nothing():
    """The sample itself."""
    assert apply([], PARTNER, 0) is PARTNER
