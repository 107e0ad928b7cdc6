"""Properties of the network: readings, batches, padding and shared images change no result."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from parity.albef import encode

from vlaudit.errors import RequestError
from vlaudit.models.albef.network import Albef

layer_sets = st.one_of(st.booleans(), st.sets(st.integers(0, 4)))
lengths = st.lists(st.integers(1, 9), min_size=1, max_size=4)


def batch_of(lengths, seed=0, padding=0):
    """Return random captions of these lengths, padded, each with an image of 16 px."""
    generator = torch.Generator().manual_seed(seed)
    width = max(lengths) + padding
    mask = (torch.arange(width) < torch.tensor(lengths)[:, None]).long()
    ids = torch.randint(1, 40, (len(lengths), width), generator=generator) * mask
    pixels = torch.randn(len(lengths), 3, 16, 16, generator=generator)
    return {"pixel_values": pixels, "input_ids": ids, "attention_mask": mask}


@given(lengths=lengths, weights=layer_sets, states=layer_sets)
@settings(max_examples=20)
def test_reading_inside_changes_no_result(small, lengths, weights, states):
    """Eager and fused layers agree for all readings; and exactly the requested readings are returned."""
    inputs = batch_of(lengths)
    plain, read = encode(small, inputs), encode(small, inputs, weights=weights, states=states)
    spans = {"image": range(2), "text": range(3), "fused": range(3, 5)}
    for ours, ref, span in zip(read, plain, spans.values(), strict=True):
        torch.testing.assert_close(ours.last, ref.last, atol=1e-5, rtol=0)
        requested = set(span) if weights is True else set(span) & set(weights or ())
        stages = {*span, span.stop}
        assert ours.self_attention.keys() == requested
        assert ours.cross_attention.keys() == (requested if span.start else set())
        assert ours.states.keys() == (stages if states is True else stages & set(states or ()))
        assert [*ref.states, *ref.self_attention, *ref.cross_attention] == []


def test_golden_results_do_not_depend_on_reading(network, case):
    """With trained sizes too, the fused kernel and the eager softmax agree within 1e-5."""
    for ours, theirs in zip(encode(network, case.inputs, weights=True), encode(network, case.inputs), strict=True):
        torch.testing.assert_close(ours.last, theirs.last, atol=1e-5, rtol=0)


@given(lengths=lengths)
@settings(max_examples=10)
def test_attention_rows_sum_to_one_and_skip_padding(small, lengths):
    """Every row is a distribution over keys that exist: no query reads a padded word."""
    inputs = batch_of(lengths, padding=2)
    image, text, fused = encode(small, inputs, weights=True)
    for attention in (*image.self_attention.values(), *fused.cross_attention.values()):
        torch.testing.assert_close(attention.sum(-1), torch.ones(attention.shape[:-1]))
    padded = (inputs["attention_mask"] == 0)[:, None, None, :]
    for attention in (*text.self_attention.values(), *fused.self_attention.values()):
        torch.testing.assert_close(attention.sum(-1), torch.ones(attention.shape[:-1]))
        assert not attention.masked_select(padded.expand_as(attention)).any()


@given(lengths=lengths, padding=st.integers(0, 3))
@settings(max_examples=20)
def test_neighbours_and_padding_change_nothing(small, lengths, padding):
    """A row alone, unpadded, equals the row in a padded batch."""
    inputs = batch_of(lengths, padding=padding)
    _, text, fused = encode(small, inputs)
    for row, length in enumerate(lengths):
        alone = {name: tensor[row : row + 1] for name, tensor in inputs.items()}
        alone |= {name: alone[name][:, :length] for name in ("input_ids", "attention_mask")}
        _, text_alone, fused_alone = encode(small, alone)
        torch.testing.assert_close(text.last[row, :length], text_alone.last[0], atol=1e-5, rtol=0)
        torch.testing.assert_close(fused.last[row, :length], fused_alone.last[0], atol=1e-5, rtol=0)


def test_text_pass_and_fusion_are_one_full_pass(network, case):
    """Trap 12: the two halves give, to the bit, what all layers give in one go."""
    mask = case.inputs["attention_mask"]
    image, _, fused = encode(network, case.inputs)
    text = network.text_encoder.bert
    layers = range(network.config.text.layers)
    whole = text.encoder(text.embeddings(case.inputs["input_ids"]), mask, layers, image.last)
    assert torch.equal(fused.last, whole.last)


def test_text_pass_does_not_see_the_image(small):
    """Only the fused states depend on the image, and they do."""
    inputs = batch_of([4, 6])
    other = inputs | {"pixel_values": -inputs["pixel_values"]}
    (_, text, fused), (_, text_other, fused_other) = encode(small, inputs), encode(small, other)
    assert torch.equal(text.last, text_other.last)
    assert not torch.allclose(fused.last, fused_other.last, atol=1e-3)


@pytest.mark.parametrize("weights", [False, True])
def test_one_image_serves_every_caption(small, weights):
    """A single image row is read by all captions, as if it had been repeated."""
    inputs = batch_of([4, 6, 2])
    image, text, _ = encode(small, inputs)
    first, mask = image.last[:1], inputs["attention_mask"]
    shared = small.fuse(text.last, mask, first, weights=weights)
    repeated = small.fuse(text.last, mask, first.repeat(3, 1, 1), weights=weights)
    torch.testing.assert_close(shared.last, repeated.last)


def test_masked_words_need_only_their_positions(small):
    """The word head sees each state alone: some positions give the logits that all of them give."""
    fused = encode(small, batch_of([4, 6]))[2].last
    positions = (torch.tensor([0, 1, 1]), torch.tensor([2, 0, 5]))
    torch.testing.assert_close(small.word_logits(fused[positions]), small.word_logits(fused)[positions])


def test_features_have_unit_length(small):
    """Contrastive features are normalised, so that a product of two is a cosine."""
    image, text, _ = encode(small, batch_of([4, 6]))
    for feature in (small.image_feature(image.last), small.text_feature(text.last)):
        torch.testing.assert_close(feature.norm(dim=-1), torch.ones(2))


def test_every_weight_takes_part(small):
    """Each online parameter gets a gradient from the outputs: none is carried along unused."""
    network = Albef(small.config)
    network.initialise()
    image, text, fused = encode(network, batch_of([4, 6]))
    similarity = network.image_feature(image.last) @ network.text_feature(text.last).T / network.temp
    outputs = (similarity, network.itm_logits(fused.last), network.word_logits(fused.last))
    # A fixed random weighting: a plain sum ignores changes that move all entries of a norm or softmax alike.
    sum((output * torch.randn_like(output)).sum() for output in outputs).backward()
    grads = {name: weight.grad for name, weight in network.named_parameters()}
    unused = [name for name, grad in grads.items() if grad is None or not grad.abs().sum() > 0]
    # A bias of keys moves all scores of a row alike, and softmax does not see that; rounding may leave a trace.
    assert [name for name in unused if not name.endswith("key.bias")] == []


def test_initialised_momentum_copies_are_equal(small):
    """Training starts with equal momentum towers, and with word vectors of the published spread."""
    network = Albef(small.config, momentum=True)
    network.initialise()
    state = network.state_dict()
    for key in [key for key in state if "_m." in key]:
        assert torch.equal(state[key], state[key.replace("_m.", ".")])
    assert state["text_encoder.bert.embeddings.word_embeddings.weight"].std().item() == pytest.approx(0.02, rel=0.2)


def test_an_image_of_another_size_is_refused(small):
    """The message gives the shape that the network reads, the one that came, and what to do."""
    with pytest.raises(RequestError, match=r"\(batch, 3, 16, 16\), got \(1, 3, 24, 24\).*image_size"):
        small.encode_image(torch.zeros(1, 3, 24, 24))


def test_a_caption_beyond_the_positions_is_refused(small):
    """Nothing is truncated in silence."""
    ids = torch.ones(1, 13, dtype=torch.long)
    with pytest.raises(RequestError, match="at most 12 tokens per caption, got 13"):
        small.encode_text(ids, ids)


def test_a_retrieval_network_predicts_no_words(small):
    """The retrieval layout has no word head."""
    retrieval = Albef(replace(small.config, layout="retrieval"))
    with pytest.raises(RequestError, match="no masked-word head"):
        retrieval.word_logits(torch.zeros(2, 16))


def test_momentum_copies_that_are_not_held_are_refused(small):
    """The message says how to load them."""
    with pytest.raises(RequestError, match="momentum=True"):
        Albef(small.config).momentum_view()
