"""The modalities mix with depth.

Source: VALUE (Cao et al. 2020), Section 3.1, Table 1; `image_moves_text` is ours.
Differs: the published trend is that of NMI between 2-means clusters and modality, in a single-stream model. It says
nothing about models whose fusion layers read finished image states: there it stays flat in a model that fuses well.
Fusion is therefore judged for every architecture by its effect: with another image the text states differ, and more so
with depth. NMI is judged where both modalities are updated in one stack, on balanced, layer-normalised tokens; raw
states and all tokens are shown as well, because the published values depend on such choices. In the published
two-stream model it rises through the cross-modality layers up to the last but one: a question of `--expect published`.
"""

import pytest

import vlaudit.authoring as va
from vlaudit.perturbations import OtherImage

NEVER_FUSES = {kind: f"a {kind} model never fuses, by design" for kind in ("dual-encoder", "text-only")}
UPDATES_BOTH = {
    kind: f"a {kind} model updates the image states too: see the NMI of each layer"
    for kind in ("single-stream", "two-stream", "dual-encoder", "text-only", "generative")
}
KEEPS_IMAGE = (
    "in this architecture fusion never updates the image states, so NMI stays flat however well it fuses: shown as the "
    "drift of text towards the image, not judged"
)
ONE_STACK = "only two-stream models have cross-modality layers, through which NMI rises"
NO_CROSS = NEVER_FUSES | dict.fromkeys(("single-stream", "cross-attention", "generative"), ONE_STACK)
RISES = {"two-stream": "in a two-stream model NMI rises by design (Table 1): shown, not judged"}

SHIFT = va.Design(
    "fusion_trend.shift", va.EverySample(), {"own": (), "other": (OtherImage(),)}, va.TextShift(), not_for=NEVER_FUSES
)
TREND = va.Design(
    "fusion_trend.nmi",
    va.EverySample(),
    {"own": ()},
    va.ModalityClusters("each"),
    not_for=NEVER_FUSES | {"cross-attention": KEEPS_IMAGE},
)
CROSS = va.Design("fusion_trend.cross", va.EverySample(), {"own": ()}, va.ModalityClusters("cross"), not_for=NO_CROSS)
DRIFT = va.Design(
    "fusion_trend.drift", va.EverySample(images=100), {"own": ()}, va.ModalityClusters("final"), not_for=UPDATES_BOTH
)

NMI = {"balanced, normalised": "nmi", "balanced, raw": "nmi_raw"}
NMI |= {"all tokens, normalised": "nmi_full", "all tokens, raw": "nmi_full_raw"}
FINDING = va.Finding(
    id="fusion_trend",
    claim="The modalities mix with depth: the image moves the text states, the more the deeper the layer.",
    source="VALUE (Cao et al. 2020), Section 3.1, Table 1",
    failing=(
        "Text states hardly depend on the image: anything built on them (answers, grounding, retrieval) depends on "
        "the caption alone."
    ),
    published={
        "NMI, UNITER-base, layers 0-11, Flickr30k": "0.36 0.38 0.39 0.41 0.38 0.38 0.38 0.38 0.32 0.20 0.26 0.20",
        "NMI, UNITER-base, layers 0-11, Visual Genome": "0.25 0.25 0.24 0.24 0.22 0.22 0.21 0.21 0.20 0.17 0.16 0.16",
        "NMI, LXMERT-base, cross-modality layers 0-4, Flickr30k": "0.42 0.48 0.67 0.75 0.43",
        "NMI, LXMERT-base, cross-modality layers 0-4, Visual Genome": "0.43 0.56 0.68 0.78 0.57",
        "note": (
            "Table 1; lower is more mixed; in the two-stream model NMI rises by design. Our stage 0: the embeddings, "
            "stage 1 is layer 0 of the table. Table 1 does not apply to models that read finished image states"
        ),
    },
    shown=(DRIFT,),
    exhibits=(
        va.Curves(
            "Change of the text states with another image",
            SHIFT,
            {"words": "shift", "[CLS] and [SEP]": "special_shift"},
            axis="stage (0: embeddings)",
            unit="relative change",
        ),
        va.Curves("NMI between clusters and modality", TREND, NMI, axis="stage (0: embeddings)", unit="NMI"),
        va.Curves(
            "Drift of text towards the finished image states",
            DRIFT,
            {label: column.replace("nmi", "drift") for label, column in NMI.items()},
            axis="text stage (0: embeddings)",
            unit="NMI",
            note="100 images; not comparable with Table 1: the image states are the same at every stage",
        ),
    ),
)


@pytest.mark.audit(FINDING, SHIFT, va.Change("shift"))
def test_image_moves_text(judge):
    """From the embeddings to the last layer, the text states come to depend on the image."""
    judge()


@pytest.mark.audit(FINDING, SHIFT, va.Trend("shift"))
def test_shift_grows(judge):
    """The deeper the layer, the more its text states depend on the image."""
    judge()


@pytest.mark.audit(FINDING, CROSS, va.Change("nmi", last=-2), only="published")
def test_nmi_rises(judge):
    """From the first cross-modality layer to the last but one, the clusters separate the modalities more."""
    judge()


@pytest.mark.audit(FINDING, TREND, va.Change("nmi", first=1), not_for=RISES)
def test_nmi_falls(judge):
    """From the first layer to the last, the clusters separate the modalities less."""
    judge()


@pytest.mark.audit(FINDING, TREND, va.Last("nmi"), not_for=RISES)
def test_final_layer_mixed(judge):
    """In the last layer the clusters no longer equal the modalities."""
    judge()
