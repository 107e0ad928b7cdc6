"""The modalities mix with depth.

Source: VALUE (Cao et al. 2020), Section 3.1, Table 1; `image_moves_text` is ours.
Differs: the published trend is that of NMI between 2-means clusters and modality, in a single-stream model. It says
nothing about models whose fusion layers read finished image states: there it stays flat in a model that fuses well.
So fusion is asserted for every architecture by what it does: with another image, the text states are others, and more
so with depth. NMI is asserted where both modalities are updated in one stack, with balanced, layer-normalised tokens;
raw states and all tokens are drawn beside it, because the published values depend on such choices.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from vlaudit.designs import PairedUnit, every_sample
from vlaudit.findings import Ask, Design, Finding
from vlaudit.measures import ModalityClusters, TextShift, Unit
from vlaudit.models.base import Capabilities
from vlaudit.perturbations import Mismatch
from vlaudit.reporting.exhibits import Curves
from vlaudit.statistics import Change, Last
from vlaudit.traces import Hidden

_STATES = frozenset({Hidden("text"), Hidden("image")})


def shift_asks(unit: PairedUnit) -> Mapping[str, Ask]:
    """Ask for the text states with the caption's own image, and with another one."""
    readings = frozenset({Hidden("text")})
    return {
        "own": Ask(unit.sample, (), readings),
        "other": Ask(unit.other, (Mismatch(unit.sample),), readings),
    }


def state_asks(unit: Unit) -> Mapping[str, Ask]:
    """Ask for the states of both modalities."""
    return {"own": Ask(unit.sample, (), _STATES)}


def _never_fuses(capabilities: Capabilities) -> str | None:
    if capabilities.architecture in ("dual-encoder", "text-only"):
        return f"a {capabilities.architecture} model never fuses, by design"
    return capabilities.lacks(Hidden("text"))


def _lacks_states(capabilities: Capabilities) -> str | None:
    return next((lack for reading in _STATES if (lack := capabilities.lacks(reading))), None)


def _not_both_updated(capabilities: Capabilities) -> str | None:
    if capabilities.architecture == "cross-attention":
        return (
            "in this architecture fusion never updates the image states, so NMI stays flat however well it fuses: "
            "drawn as the drift of text towards the image, not judged"
        )
    return _never_fuses(capabilities) or _lacks_states(capabilities)


def _not_cross_attention(capabilities: Capabilities) -> str | None:
    if capabilities.architecture != "cross-attention":
        return f"a {capabilities.architecture} model updates the image states too: see the NMI of each layer"
    return _lacks_states(capabilities)


SHIFT = Design("fusion_trend.shift", every_sample, shift_asks, TextShift(), _never_fuses)
TREND = Design("fusion_trend.nmi", every_sample, state_asks, ModalityClusters("each"), _not_both_updated)
DRIFT = Design("fusion_trend.drift", every_sample, state_asks, ModalityClusters("final"), _not_cross_attention)

FINDING = Finding(
    id="fusion_trend",
    claim="The modalities mix with depth: the image moves the text states, the more the deeper the layer.",
    source="VALUE (Cao et al. 2020), Section 3.1, Table 1",
    failing=(
        "Text states hardly take in the image: whatever is built on them (answers, grounding, retrieval) is built on "
        "the caption alone."
    ),
    published={
        "NMI, UNITER-base, Flickr30k, layers 0-11 (Table 1)": (
            "0.36 0.38 0.39 0.41 0.38 0.38 0.38 0.38 0.32 0.20 0.26 0.20"
        ),
        "NMI, UNITER-base, Visual Genome, layers 0-11 (Table 1)": (
            "0.25 0.25 0.24 0.24 0.22 0.22 0.21 0.21 0.20 0.17 0.16 0.16"
        ),
        "NMI, LXMERT-base, Flickr30k, cross-modality layers 0-4 (Table 1)": "0.42 0.48 0.67 0.75 0.43",
        "NMI, LXMERT-base, Visual Genome, cross-modality layers 0-4 (Table 1)": "0.43 0.56 0.68 0.78 0.57",
        "note": (
            "lower is more mixed; in the two-stream model NMI rises by design. Stage 0 of ours are the embeddings, "
            "stage 1 is layer 0 of the table. Table 1 is no measure for models that read finished image states"
        ),
    },
    exhibits=(
        Curves(
            "How far another image moves the text states",
            {"words": "shift", "[CLS] and [SEP]": "special_shift"},
            axis="stage (0: embeddings)",
            unit="relative change",
        ),
        Curves(
            "NMI between clusters and modality",
            {
                "balanced, normalised": "nmi",
                "balanced, raw": "nmi_raw",
                "all tokens, normalised": "nmi_full",
                "all tokens, raw": "nmi_full_raw",
            },
            axis="stage (0: embeddings)",
            unit="NMI",
        ),
        Curves(
            "Drift of text towards the finished image states",
            {
                "balanced, normalised": "drift",
                "balanced, raw": "drift_raw",
                "all tokens, normalised": "drift_full",
                "all tokens, raw": "drift_full_raw",
            },
            axis="text stage (0: embeddings)",
            unit="NMI",
            note="not to be set beside Table 1: the image states are the same at every stage",
        ),
    ),
)


@pytest.mark.audit(FINDING, SHIFT)
def test_image_moves_text(judge):
    """From the embeddings to the last layer, the text states come to depend on the image."""
    judge("image_moves_text", Change("shift"))


@pytest.mark.audit(FINDING, TREND)
def test_nmi_falls(judge):
    """From the first layer to the last, the clusters lose their modality."""
    if reason := _drawn_only(judge.model.capabilities):
        judge.skip("nmi_falls", reason)
    judge("nmi_falls", Change("nmi", first=1))


@pytest.mark.audit(FINDING, TREND)
def test_final_layer_mixed(judge):
    """In the last layer the clusters are no longer the modalities."""
    if reason := _drawn_only(judge.model.capabilities):
        judge.skip("final_layer_mixed", reason)
    judge("final_layer_mixed", Last("nmi"))


@pytest.mark.audit(FINDING, DRIFT)
def test_drift(judge):
    """Shown, judged by no criterion: every number of the curves is an NMI."""
    if DRIFT.unfit(judge.model.capabilities) is None and len(judge.table):
        assert ((judge.table["drift"] >= 0) & (judge.table["drift"] <= 1)).all()


def _drawn_only(capabilities: Capabilities) -> str | None:
    if capabilities.architecture == "two-stream":
        return "in a two-stream model NMI rises by design (Table 1): drawn, not judged"
    return None
