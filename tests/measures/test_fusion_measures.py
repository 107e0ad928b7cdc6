"""Shift of text states and clusters of modalities: properties, and scikit-learn as a reference."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.metrics import normalized_mutual_info_score

from vlaudit.errors import RefusedSample, UsageError
from vlaudit.measures import ModalityClusters, Reduction, TextShift, Unit
from vlaudit.measures.shift import relative_change
from vlaudit.samples import Box, Sample, words_of
from vlaudit.traces import Attention, Hidden, ImageAxis, TextAxis, Trace

CAPTION = "one two three four five six seven eight nine ten"
some = settings(max_examples=25)


def sample(number, words=10):
    return Sample(f"s{number}", f"i{number}", None, " ".join(CAPTION.split()[:words]))


def reduction(number, text, image, condition="own"):
    """Text states (stages, 1 + words, width) behind [CLS], image states (stages, 1 + places, width) behind a global."""
    asked = sample(number, text.shape[1] - 1)
    axis = TextAxis((None, *words_of(asked.caption)))
    boxes = ImageAxis((None, *(Box(i, 0, i + 1, 1) for i in range(image.shape[1] - 1))), "patch")
    arrays = {Hidden("text"): text, Hidden("image"): image}
    return Reduction(Unit(asked.id, asked), condition, asked, Trace("key", arrays, axis, boxes))


def states(seed, *shape, apart=0.0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape) + apart).float()


def curves(measure, *reductions):
    return [
        measure.row(one.unit, {"own": numbers})
        for one, numbers in zip(reductions, measure.reduce(reductions), strict=True)
    ]


# -- TextShift


def shift(own, other):
    image = states(0, 2, 3, 4)
    measure = TextShift()
    numbers = measure.reduce([reduction(0, own, image), reduction(0, other, image, "other")])
    row = measure.row(Unit("u", sample(0)), dict(zip(("own", "other"), numbers, strict=True)))
    assert set(row) == measure.columns(["own", "other"])
    return row


def test_where_the_image_changes_nothing_nothing_moves():
    own = states(1, 5, 7, 4)
    row = shift(own, own.clone())
    assert row["shift"] == row["special_shift"] == [0.0] * 5


def test_text_and_special_positions_are_apart():
    own = states(1, 5, 7, 4)
    other = own.clone()
    other[3, 0] += 1  # [CLS] alone
    row = shift(own, other)
    assert row["shift"] == [0.0] * 5
    assert [value > 0 for value in row["special_shift"]] == [False, False, False, True, False]


@some
@given(st.integers(0, 10**6), st.floats(-5, 5), st.floats(0.1, 9))
def test_the_change_lies_between_0_and_1_and_knows_no_scale(seed, far, scale):
    one, other = states(seed, 3, 4, 5), states(seed + 1, 3, 4, 5, apart=far)
    change = relative_change(one, other)
    assert ((change > 0) & (change <= 1 + 1e-6)).all()
    torch.testing.assert_close(relative_change(other, one), change)
    torch.testing.assert_close(relative_change(one * scale, other * scale), change)


def test_a_fifth_of_the_length_is_a_tenth_and_the_opposite_is_1():
    one = torch.tensor([[[1.0, 0.0]]])
    across = torch.tensor([[[0.98, 0.19899748]]])  # of length 1, 0.2 away
    assert float(relative_change(one, across)) == pytest.approx(0.1, abs=1e-4)
    assert float(relative_change(one, -one)) == pytest.approx(1)


def test_nan_stays_nan():
    broken = torch.full((1, 2, 2), torch.nan)
    assert relative_change(broken, torch.ones(1, 2, 2)).isnan().all()


# -- ModalityClusters


def separable(number, words, places, gap=20.0):
    """Two stages: at the first the modalities lie apart in half of the components, at the second not at all."""
    direction = torch.tensor([1.0, -1.0] * 4) * gap
    text, image = states(number, 2, words + 1, 8), states(number + 99, 2, places + 1, 8)
    text[0] += direction
    image[0] -= direction
    return reduction(number, text, image)


@pytest.mark.parametrize(("words", "places"), [(4, 4), (10, 36), (6, 100), (9, 3)])
def test_balanced_clusters_of_separable_modalities_are_the_modalities(words, places):
    (row,) = curves(ModalityClusters(), separable(0, words, places))
    assert row["nmi"][0] == row["nmi_raw"][0] == pytest.approx(1)
    assert row["nmi"][1] < 0.7


def test_many_image_tokens_split_where_few_are_kept_together():
    """The criterion reads balanced tokens, because with all tokens 2-means splits the image if it is wide enough."""
    image = states(5, 1, 258, 8)
    image[0, 1:130, 0] += 14
    text = states(6, 1, 11, 8)
    text[0, :, 1] += 12
    (row,) = curves(ModalityClusters(draws=8), reduction(0, text, image))
    assert row["nmi_full_raw"][0] < 0.2
    assert row["nmi_raw"][0] > row["nmi_full_raw"][0]


@some
@given(st.integers(0, 10**6), st.integers(3, 10), st.integers(3, 40), st.floats(0, 3))
def test_with_all_tokens_nmi_is_that_of_scikit_learn(seed, words, places, gap):
    """Equal where the clusters are plain; where they are not, both are local optima of nearly the same inertia."""
    one = separable(seed % 1000, words, places, gap=gap)
    (row,) = curves(ModalityClusters(restarts=12, draws=1), one)
    for stage in range(2):
        theirs, sure = sklearn_nmi(one, stage)
        if sure:
            assert row["nmi_full_raw"][stage] == pytest.approx(theirs, abs=1e-6)


def sklearn_nmi(one, stage):
    """NMI by scikit-learn, and True if its best partition is clearly better than those of other restarts."""
    text, image = one.trace[Hidden("text")][stage, 1:], one.trace[Hidden("image")][stage, 1:]
    points = torch.cat([text, image]).numpy()
    modality = [0] * len(text) + [1] * len(image)
    fits = [KMeans(2, n_init=1, random_state=seed).fit(points) for seed in range(12)]
    best = min(fits, key=lambda fit: fit.inertia_)
    near = [fit for fit in fits if fit.inertia_ <= best.inertia_ * 1.02]
    same = all(normalized_mutual_info_score(fit.labels_, best.labels_) > 1 - 1e-9 for fit in near)
    return normalized_mutual_info_score(best.labels_, modality), same and len(near) >= 6


def test_the_balanced_value_is_the_mean_over_subsets_of_the_caption_s_length():
    """The subsets drawn by the measure itself, clustered one by one with scikit-learn."""
    one = separable(3, 5, 20, gap=1.0)
    measure = ModalityClusters(draws=3, restarts=16)
    (row,) = curves(measure, one)
    chances = measure._chances(one.unit, measure._tokens(one))
    points = torch.cat([one.trace[Hidden("text")][0, 1:], one.trace[Hidden("image")][0, 1:]])
    normal = torch.nn.functional.layer_norm(points, points.shape[-1:]).numpy()
    assert chances.subsets.shape == (3, 2, 5)
    values = []
    for words, places in chances.subsets:
        assert sorted(words) == list(range(5))  # the whole caption
        labels = KMeans(2, n_init=16, random_state=0).fit(normal[[*words, *(5 + places)]]).labels_
        values.append(normalized_mutual_info_score(labels, [0] * 5 + [1] * 5))
    assert row["nmi"][0] == pytest.approx(np.mean(values), abs=0.05)


def test_a_batch_gives_what_each_of_its_samples_gives_alone():
    batch = [separable(number, words, places, 1.0) for number, (words, places) in enumerate(((4, 9), (10, 20), (6, 6)))]
    measure = ModalityClusters()
    together = curves(measure, *batch)
    for row, one in zip(together, batch, strict=True):
        (alone,) = curves(measure, one)
        for name, values in row.items():
            assert values == pytest.approx(alone[name], abs=1e-6), name


def test_states_far_from_the_origin_are_clustered_as_near_it():
    """Real states have components that are hundreds of times larger than their spread."""
    text, image = states(0, 2, 8, 8), states(1, 2, 20, 8)
    image[..., 0] += 3
    far = torch.tensor([300.0, 0, 0, -200, 0, 0, 0, 0])
    near, away = (curves(ModalityClusters(), reduction(0, text + by, image + by))[0] for by in (torch.zeros(8), far))
    assert near["nmi_raw"] == pytest.approx(away["nmi_raw"], abs=1e-6)
    assert near["nmi_full_raw"] == pytest.approx(away["nmi_full_raw"], abs=1e-6)


def test_draws_belong_to_the_unit_and_to_the_seed():
    one = separable(3, 5, 30, gap=0.5)
    assert curves(ModalityClusters(), one) == curves(ModalityClusters(), one)
    renamed = one._replace(unit=replace(one.unit, id="another"))
    found = [curves(ModalityClusters(seed=seed), unit)[0]["nmi"] for seed, unit in ((0, one), (1, one), (0, renamed))]
    assert len({tuple(values) for values in found}) > 1


def test_cross_reads_the_stages_after_cross_modality_layers_alone():
    """As many as the layers in which text attends to image; the layers before them do not count."""
    text, image = states(0, 7, 5, 8), states(1, 5, 9, 8)
    one = reduction(0, text, image)
    attention = {Attention("text", "image"): torch.full((3, 2, 5, 9), 1 / 9)}
    trace = replace(one.trace, arrays=one.trace.arrays | attention)
    measure = ModalityClusters("cross")
    assert set(trace.arrays) == measure.needs
    (row,) = curves(measure, one._replace(trace=trace))
    (same,) = curves(ModalityClusters(), reduction(0, text[-3:], image[-3:]))
    assert row == same
    assert set(row) == measure.columns(["own"])


def test_final_compares_every_text_stage_with_the_last_image_states():
    """With one common image set, the number of text stages is that of the curve; the columns have another name."""
    text, image = states(0, 6, 8, 8), states(1, 4, 12, 8)
    (row,) = curves(ModalityClusters("final"), reduction(0, text, image))
    assert set(row) == ModalityClusters("final").columns(["own"])
    assert {name: len(values) for name, values in row.items()} == dict.fromkeys(
        ("drift", "drift_raw", "drift_full", "drift_full_raw"), 6
    )
    (same,) = curves(ModalityClusters("final"), reduction(0, text, image[-1:]))
    assert same == row


def test_each_counts_stages_from_the_last_where_one_has_fewer():
    text, image = states(0, 6, 8, 8), states(1, 4, 12, 8)
    (row,) = curves(ModalityClusters("each"), reduction(0, text, image))
    (same,) = curves(ModalityClusters("each"), reduction(0, text[-4:], image))
    assert row == same
    assert len(row["nmi"]) == 4
    assert set(row) == ModalityClusters("each").columns(["own"])


def test_states_of_unequal_width_are_refused_without_effect_on_other_units():
    odd = reduction(1, states(0, 2, 5, 8), states(1, 2, 5, 6))
    empty = reduction(2, states(0, 2, 5, 8), states(1, 2, 1, 8))
    good = separable(0, 4, 9)
    measure = ModalityClusters()
    numbers = measure.reduce([odd, good, empty])
    for one, found in ((odd, numbers[0]), (empty, numbers[2])):
        with pytest.raises(RefusedSample, match="cannot be compared"):
            measure.row(one.unit, {"own": found})
    assert measure.row(good.unit, {"own": numbers[1]}) == curves(measure, good)[0]


@pytest.mark.parametrize("settings", [{"draws": 0}, {"restarts": 0}])
def test_settings_without_meaning_are_refused(settings):
    with pytest.raises(UsageError, match=next(iter(settings))):
        ModalityClusters(**settings)


def test_rounding_is_no_change():
    """The image of a blind model changes the last digits only, the more the deeper the layer."""
    states = torch.ones(3, 2, 4)
    assert relative_change(states, states * torch.tensor([1, 1 + 1e-6, 1 + 4e-6])[:, None, None]).tolist() == [0, 0, 0]
