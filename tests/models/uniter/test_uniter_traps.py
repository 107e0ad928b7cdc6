"""The facts of UNITER (tests/goldens/REGION_MODELS.md) are observable: each mistake moves an official output.

Parity shows that we make none of them; this shows that parity would notice.
"""

from dataclasses import replace
from functools import partial

import pytest
import torch
from parity.uniter import inputs_of, shown

from vlaudit.models.streams.contract import Wanted
from vlaudit.models.streams.recording import Recorder
from vlaudit.models.uniter.network import Uniter

VISIBLE = 1e-4
"""Five times the parity tolerance, and the tolerance that the goldens' README suggests."""


def word_logits(network, inputs):
    return network.word_logits(network(inputs).text)


def recording():
    return Recorder(Wanted(states=frozenset({("text", 0), ("image", 0)})))


def moved(case, name, wrong, mask=None):
    """Return the largest distance from the official output, where there is one."""
    ours = wrong if mask is None else shown(wrong, case.inputs[mask])
    return (ours - case.expected[name]).abs().max().item()


@pytest.fixture
def inputs(case):
    return inputs_of(case.inputs)


@pytest.fixture
def masked(case):
    return inputs_of(case.inputs, hidden=True)


def test_without_a_mistake_nothing_moves(case, network, inputs):
    """The baseline of the other tests."""
    assert moved(case, "mlm_logits", word_logits(network, inputs), "attention_mask") < 2e-5


def test_the_epsilon_shows(case, network, inputs):
    """1e-12 in every norm, not torch's 1e-5."""
    wrong = Uniter(replace(network.config, layer_norm_eps=1e-5)).eval().requires_grad_(requires_grad=False)
    wrong.load_state_dict(network.state_dict())
    assert moved(case, "mlm_logits", word_logits(wrong, inputs), "attention_mask") > VISIBLE


def test_approximate_gelu_shows(case, network, inputs, monkeypatch):
    """The exact GELU."""
    approximate = partial(torch.nn.functional.gelu, approximate="tanh")
    monkeypatch.setattr(torch.nn.functional, "gelu", approximate)
    assert moved(case, "mlm_logits", word_logits(network, inputs), "attention_mask") > VISIBLE


def test_the_token_type_of_regions_shows(case, network, inputs):
    """Regions are of type 1 of the words' own table."""
    types = network.uniter.embeddings.token_type_embeddings.weight
    with torch.no_grad():
        types[1] = types[0]
    untyped = replace(inputs, types=None)
    assert moved(case, "hidden.v.0", network.uniter(untyped, recording()).states["image", 0], "image_mask") > VISIBLE


def test_words_know_their_type(case, network, inputs):
    """The captions' own token types are read, where they are given."""
    assert (case.inputs["token_type_ids"] == 0).all()
    with_type = replace(inputs, types=torch.ones_like(inputs.ids))
    assert moved(case, "mlm_logits", word_logits(network, with_type), "attention_mask") > VISIBLE
    assert torch.equal(word_logits(network, replace(inputs, types=None)), word_logits(network, inputs))


def test_padding_that_is_attended_shows(case, network, inputs):
    """Both masks matter."""
    for wrong in (
        replace(inputs, present=torch.ones_like(inputs.present)),
        replace(inputs, mask=torch.ones_like(inputs.mask)),
    ):
        assert moved(case, "mlm_logits", word_logits(network, wrong), "attention_mask") > VISIBLE


def test_an_unmarked_masked_region_shows(case, network, masked):
    """A masked region is zeroed and marked: without the mark another result comes out."""
    wrong = network.region_logits(network(replace(masked, hidden=None)).image)
    assert moved(case, "mrc_logits", wrong, "image_mask") > VISIBLE


def test_row_zero_of_the_mask_table_is_never_read(network, masked):
    """The official code overwrites it with zeros when a mask is given; here it may hold anything."""
    before = network(masked).image
    with torch.no_grad():
        network.uniter.img_embeddings.mask_embedding.weight[0] = 7
    assert torch.equal(network(masked).image, before)


def test_a_mask_of_nothing_is_no_mask(network, inputs):
    """With row 0 at zero, marking no region changes nothing."""
    nothing = replace(inputs, hidden=torch.zeros_like(inputs.present, dtype=torch.bool))
    assert torch.equal(network(nothing).image, network(inputs).image)


def test_the_pooler_is_tanh_of_the_first_word(case, network, inputs):
    """Not a ReLU, as in VOLTA, nor another position."""
    streams, dense = network(inputs), network.uniter.pooler.dense
    assert moved(case, "pooled", dense(streams.text[:, 0]).relu()) > VISIBLE
    assert moved(case, "pooled", network.uniter.pooler(streams.text[:, 1:])) > VISIBLE


def test_match_logits_have_the_published_order(case, network, inputs):
    """1 is a match in the file, as in our order; VOLTA's is reversed."""
    logits = network.match_logits(network(inputs))
    assert moved(case, "itm_logits", logits) < 2e-5
    assert moved(case, "itm_logits", logits.flip(-1)) > VISIBLE


def test_width_and_height_of_boxes_show(case, network, inputs):
    """Seven numbers: with a box of no size, another region comes out."""
    line = torch.cat([inputs.boxes[..., :2], inputs.boxes[..., :2]], dim=-1)
    wrong = network.uniter(replace(inputs, boxes=line), recording()).states["image", 0]
    assert moved(case, "hidden.v.0", wrong, "image_mask") > VISIBLE


def test_features_are_predicted_with_the_matrix_that_reads_them(case, network, masked):
    """The same tensor, transposed."""
    image = network(masked).image
    with torch.no_grad():
        network.uniter.img_embeddings.img_linear.weight.mul_(2)
    assert moved(case, "feat_regress", network.region_features(image), "image_mask") > VISIBLE


def test_row_zero_of_the_word_table_is_an_ordinary_vector(network, inputs):
    """[PAD] read as a word has its own vector; masked as padding it changes nothing."""
    before = network(inputs)
    words = network.uniter.embeddings.word_embeddings.weight
    with torch.no_grad():
        words[0] += 5
    real = inputs.mask[..., None].bool()
    assert torch.equal(network(inputs).text * real, before.text * real)
    read = replace(inputs, mask=torch.ones_like(inputs.mask))
    assert words[0].abs().max() > 0
    assert not torch.equal(network(read).text * real, before.text * real)
