"""Easy mistakes in the controlled models, each as a property (the traps: tests/goldens/REGION_MODELS.md)."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from parity.regional import everything
from parity.volta import as_official, inputs_of, row_of
from volta_cases import CASES, DUAL, SHAPES, SINGLE, network_of, random_batch

from vlaudit.errors import RequestError
from vlaudit.models.streams.contract import Inputs, Wanted
from vlaudit.models.streams.losses import masked_word_loss, match_loss, region_class_kl
from vlaudit.models.volta.config import PUBLISHED
from vlaudit.models.volta.embeddings import box_waves

BATCH = ((6, 4), (9, 7), (4, 2))
SEEDS = st.integers(0, 2**31)
EXTRA = st.tuples(st.integers(0, 3), st.integers(0, 3))


def close(one, other, tolerance=2e-5):
    return one.shape == other.shape and (one - other).abs().max() <= tolerance


@pytest.mark.parametrize("name", PUBLISHED)
@given(SHAPES, EXTRA, SEEDS)
@settings(max_examples=8)
@torch.no_grad()
def test_neither_padding_nor_batch_mates_change_a_row(name, shapes, extra, seed):
    """Every row has the states, attention and scores that it has alone and without padding."""
    network, batch = network_of(name), random_batch(shapes, seed, extra)
    together = network(batch, everything(network))
    for i, (words, held) in enumerate(shapes):
        alone = network(row_of(batch, slice(i, i + 1), length=words, regions=held), everything(network))
        ends = {"text": words, "image": held}
        for (modality, stage), states in alone.states.items():
            assert close(together.states[modality, stage][i : i + 1, : ends[modality]], states)
        for (asks, has, layer), shares in alone.attention.items():
            assert close(together.attention[asks, has, layer][i : i + 1, :, : ends[asks], : ends[has]], shares)
        assert close(network.match_logits(together)[i : i + 1], network.match_logits(alone))


@given(SHAPES, EXTRA, SEEDS)
@settings(max_examples=8)
@torch.no_grad()
def test_a_row_of_vl_bert_is_what_the_official_code_gives_it_alone(shapes, extra, seed):
    """Alone and without padding there is nothing to depend on, and both ways of counting positions agree."""
    network, batch = network_of("ctrl_vl-bert"), random_batch(shapes, seed, extra)
    ours, official = network(batch, Wanted()), as_official(network)
    for i, (words, held) in enumerate(shapes):
        alone = official(row_of(batch, slice(i, i + 1), length=words, regions=held), Wanted())
        assert close(ours.text[i : i + 1, :words], alone.text)
        assert close(ours.image[i : i + 1, :held], alone.image)


@torch.no_grad()
def test_the_official_vl_bert_depends_on_its_batch_mates():
    """The default therefore differs: the same row has other states next to a shorter caption."""
    official = as_official(network_of("ctrl_vl-bert"))
    batch = random_batch(((9, 5), (3, 5)), 0)
    alone = official(row_of(batch, slice(0, 1)), Wanted())
    assert (official(batch, Wanted()).text[:1] - alone.text).abs().max() > 0.1


@pytest.mark.parametrize("name", PUBLISHED)
@torch.no_grad()
def test_the_tensors_of_the_caller_stay_as_they_were(name):
    """The official VL-BERT writes its mask vector into them."""
    batch = random_batch(BATCH, 1)
    given_tensors = [batch.ids, batch.mask, batch.features, batch.boxes, batch.present]
    before = [tensor.clone() for tensor in given_tensors]
    for network in (network_of(name), as_official(network_of(name))):
        network(batch, Wanted())
    assert all(torch.equal(now, then) for now, then in zip(given_tensors, before, strict=True))


@pytest.mark.parametrize("name", PUBLISHED)
@torch.no_grad()
def test_readings_do_not_change_the_results(name):
    """The fused kernel and the written-out probabilities are one arithmetic; only what was wanted comes back."""
    network, batch = network_of(name), random_batch(BATCH, 2)
    plain, read = network(batch, Wanted()), network(batch, everything(network))
    assert close(plain.text, read.text)
    assert close(plain.image, read.image)
    assert not plain.states
    assert not plain.attention
    one = next(iter(read.attention))
    assert network(batch, Wanted(frozenset({one}))).attention.keys() == {one}


@pytest.mark.parametrize("name", PUBLISHED)
@torch.no_grad()
def test_the_last_stage_is_what_the_heads_read(name):
    network, batch = network_of(name), random_batch(BATCH, 3)
    read = network(batch, everything(network))
    stages = network.layout.states
    assert torch.equal(read.states["text", stages["text"][-1]], read.text)
    assert torch.equal(read.states["image", stages["image"][-1]], read.image)


@pytest.mark.parametrize("name", SINGLE)
@torch.no_grad()
def test_a_query_shares_one_softmax_over_words_and_regions(name):
    """Its two slices sum to 1 together, and neither does alone; padding gets nothing."""
    network, batch = network_of(name), random_batch(BATCH, 4)
    read = network(batch, everything(network)).attention
    for layer in network.layout.attention["text", "image"]:
        for asks in ("text", "image"):
            shares = [read[asks, has, layer].sum(-1) for has in ("text", "image")]
            assert close(shares[0] + shares[1], torch.ones_like(shares[0]))
            assert all(share.max() < 0.999 for share in shares)
    assert not read["text", "image", 0][2, :, :, BATCH[2][1] :].any()


@pytest.mark.parametrize("name", DUAL)
@torch.no_grad()
def test_where_modalities_part_each_attention_sums_to_one(name):
    network, batch = network_of(name), random_batch(BATCH, 5)
    for shares in network(batch, everything(network)).attention.values():
        assert close(shares.sum(-1), torch.ones_like(shares.sum(-1)))


@torch.no_grad()
def test_regions_pass_the_text_layers_of_vilbert_unchanged():
    """Not even a norm touches them."""
    network, batch = network_of("ctrl_vilbert"), random_batch(BATCH, 6)
    kept = network.encode(batch, kept=[("image", stage) for stage in range(5)]).states
    assert all(torch.equal(kept["image", stage], kept["image", 0]) for stage in range(1, 5))


@pytest.mark.parametrize("name", PUBLISHED)
@torch.no_grad()
def test_matching_comes_second(name):
    """The published order is (match, no match); ours is the other one, for the probability and for the loss."""
    network, case = network_of(name), CASES[name]
    streams = network(inputs_of(case.inputs), Wanted())
    text, image = network.pooled(streams)
    official = network.cls.bi_seq_relationship(text * image)
    logits, matched = network.match_logits(streams), case.inputs["itm_label"] == 0
    assert torch.equal(logits, official.flip(-1))
    assert close(match_loss(logits, matched), torch.nn.functional.cross_entropy(official, (~matched).long()))


@pytest.mark.parametrize("name", PUBLISHED)
@torch.no_grad()
def test_poolers_cut_below_zero_and_do_not_saturate(name):
    """A ReLU, where BERT has a tanh; they read the first row of each modality alone."""
    network, batch = network_of(name), random_batch(BATCH, 7)
    streams = network(batch, Wanted())
    text, image = network.pooled(streams)
    assert min(text.min(), image.min()) == 0
    assert max(text.max(), image.max()) > 1
    cut = replace(streams, text=streams.text[:, :1], image=streams.image[:, :1])
    assert torch.equal(network.match_logits(cut), network.match_logits(streams))


@pytest.mark.parametrize("name", PUBLISHED)
@torch.no_grad()
def test_only_visualbert_ignores_boxes(name):
    network, batch = network_of(name), random_batch(BATCH, 8)
    moved = replace(batch, boxes=batch.boxes * 0.5)
    same = torch.equal(network(batch, Wanted()).image, network(moved, Wanted()).image)
    assert same == (name == "ctrl_visualbert")


@torch.no_grad()
def test_a_masked_region_of_vl_bert_looks_like_its_mask_vector():
    """A feature of zeros is replaced by `object_mask_visual_embedding`, and by nothing else."""
    network, batch = network_of("ctrl_vl-bert"), random_batch(BATCH, 9)
    vector = network.bert.embeddings.object_mask_visual_embedding.weight[0]
    zero = (batch.features == 0).all(-1, keepdim=True) & (batch.present == 1)[..., None]
    assert zero.any()
    spelt = replace(batch, features=torch.where(zero, vector, batch.features))
    assert torch.equal(network(batch, Wanted()).text, network(spelt, Wanted()).text)


@torch.no_grad()
def test_words_of_vl_bert_see_the_last_region():
    """Before any attention: their embeddings change with the last region of their row, and with no other."""
    network, batch = network_of("ctrl_vl-bert"), random_batch(((5, 4),), 10)
    first = Wanted(states=frozenset({("text", 0)}))
    words = network(batch, first).states["text", 0]
    for region, seen in ((0, False), (2, False), (3, True)):
        features = batch.features.clone()
        features[:, region] += 1
        changed = network(replace(batch, features=features), first).states["text", 0]
        assert (not torch.equal(changed, words)) == seen


@pytest.mark.parametrize("name", PUBLISHED)
@torch.no_grad()
def test_left_out_masks_and_types_mean_that_all_is_real_and_of_type_0(name):
    network, batch = network_of(name), random_batch(((5, 4), (5, 4)), 11)
    spelt = replace(batch, types=torch.zeros_like(batch.ids))
    left_out = replace(batch, present=None)
    for other in (spelt, left_out):
        assert close(network(batch, Wanted()).text, network(other, Wanted()).text, 1e-6)


@pytest.mark.parametrize("name", PUBLISHED)
def test_unreadable_inputs_are_errors_with_the_reason(name):
    network, batch = network_of(name), random_batch(((5, 4),), 12)
    with pytest.raises(RequestError, match="cannot run without regions"):
        network(Inputs(batch.ids, batch.mask), Wanted())
    long = random_batch(((60, 2),), 12)
    with pytest.raises(RequestError, match="the model has 48 positions"):
        network(long, Wanted())


def test_losses_read_nothing_but_what_is_labelled():
    """Other positions may hold anything; with no masked region the loss is 0, and a perfect guess costs nothing."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 5, generator=generator)
    labels = torch.tensor([[-1, 3, -1, -1], [-1, -1, 0, -1]])
    target, masked = logits.softmax(-1), labels >= 0
    noisy = torch.where(masked[..., None], logits, 9.0)
    assert close(masked_word_loss(logits, labels), masked_word_loss(noisy, labels), 0)
    assert close(region_class_kl(logits, target, masked), torch.tensor(0.0), 1e-6)
    other = logits.flip(-1).softmax(-1)
    assert region_class_kl(logits, other, masked) > 0.1
    assert close(region_class_kl(logits, other, masked), region_class_kl(noisy, other, masked), 0)
    assert region_class_kl(logits, other, torch.zeros_like(masked)) == 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_rounds_the_waves_of_a_box_and_not_their_angles(dtype):
    """Boxes that half precision holds exactly have the waves of float32, but for the last rounding."""
    boxes = torch.tensor([[[0.125, 0.25, 0.75, 0.875], [0.0, 0.0, 1.0, 1.0]]])
    exact, rounded = box_waves(boxes, 4), box_waves(boxes.to(dtype), 4)
    assert rounded.dtype == dtype
    assert close(rounded.float(), exact, torch.finfo(dtype).eps)
