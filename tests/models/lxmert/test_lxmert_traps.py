"""The facts of LXMERT (tests/goldens/REGION_MODELS.md) are observable: each mistake moves an official output.

Parity shows that we make none of them; this shows that parity would notice.
"""

from dataclasses import replace
from functools import partial

import pytest
import torch
from parity.lxmert import inputs_of
from parity.regional import everything

from vlaudit.models.lxmert.layers import CrossLayer, RegionEmbeddings
from vlaudit.models.lxmert.network import Lxmert

VISIBLE = 1e-4
"""Five times the parity tolerance, and the tolerance that the goldens' README suggests."""


def moved(case, name, wrong):
    """Return the largest distance from the official output."""
    return (wrong - case.expected[name]).abs().max().item()


@pytest.fixture
def inputs(case):
    return inputs_of(case.inputs)


def test_without_a_mistake_nothing_moves(case, network, inputs):
    """The baseline of the other tests."""
    assert moved(case, "mlm_logits", network.word_logits(network(inputs).text)) < 2e-5


def test_the_epsilon_shows(case, network, inputs):
    """1e-12 in every norm, not torch's 1e-5."""
    wrong = Lxmert(replace(network.config, layer_norm_eps=1e-5)).eval().requires_grad_(requires_grad=False)
    wrong.load_state_dict(network.state_dict())
    assert moved(case, "mlm_logits", wrong.word_logits(wrong(inputs).text)) > VISIBLE


def test_approximate_gelu_shows(case, network, inputs, monkeypatch):
    """The exact GELU."""
    approximate = partial(torch.nn.functional.gelu, approximate="tanh")
    monkeypatch.setattr(torch.nn.functional, "gelu", approximate)
    assert moved(case, "mlm_logits", network.word_logits(network(inputs).text)) > VISIBLE


def test_the_sum_in_place_of_the_mean_shows(case, network, inputs, monkeypatch):
    """Feature and box are averaged, and not normalised again."""
    right = RegionEmbeddings.forward
    monkeypatch.setattr(RegionEmbeddings, "forward", lambda *args: 2 * right(*args))
    streams = network(inputs, everything(network))
    assert moved(case, "hidden.v.emb", streams.states["image", 0]) > VISIBLE
    assert moved(case, "mlm_logits", network.word_logits(streams.text)) > VISIBLE


def test_a_region_mask_shows(case, network, inputs):
    """The official pretraining path has none: padded regions are attended there, and it is another result."""
    with_mask = network.word_logits(network(inputs).text)
    without = network.word_logits(network(replace(inputs, present=None)).text)
    assert moved(case, "nomask.mlm_logits", with_mask) > VISIBLE
    assert moved(case, "mlm_logits", without) > VISIBLE


def test_reading_what_the_other_direction_just_wrote_shows(case, network, inputs):
    """Both directions of a cross layer read what came in: the regions do not see words that have seen them."""
    streams = network(inputs, everything(network))
    layer, first = network.bert.encoder.x_layers[0], network.config.first_cross_layer
    text, image = streams.states["text", 3], streams.states["image", 2]
    assert (first, network.config.relation_layers) == (3, 2)
    words = ((1 - inputs.mask.float()) * -10000.0)[:, None, None]
    regions = ((1 - inputs.present.float()) * -10000.0)[:, None, None]
    read, _ = layer.visual_attention(text, image, regions, weights=False)
    _, right = layer.visual_attention(image, text, words, weights=True)
    _, wrong = layer.visual_attention(image, read, words, weights=True)
    assert moved(case, "attn.vt.x0", right) < 2e-5
    assert moved(case, "attn.vt.x0", wrong) > VISIBLE


def test_both_directions_have_the_same_weights(case, network, inputs):
    """One attention for both: there is no second to load, and changing it moves both."""
    layer = network.bert.encoder.x_layers[0]
    assert isinstance(layer, CrossLayer)
    assert {name for name, _ in layer.named_children() if "visual_attention" in name} == {"visual_attention"}
    with torch.no_grad():
        layer.visual_attention.att.query.bias.add_(1)
    attention = network(inputs, everything(network)).attention
    assert moved(case, "attn.tv.x0", attention["text", "image", 3]) > VISIBLE
    assert moved(case, "attn.vt.x0", attention["image", "text", 3]) > VISIBLE


def test_the_pooler_is_tanh_of_the_first_word(case, network, inputs):
    """Not a ReLU, as in VOLTA, nor another position."""
    streams, dense = network(inputs), network.bert.pooler.dense
    assert moved(case, "pooled", dense(streams.text[:, 0]).relu()) > VISIBLE
    assert moved(case, "pooled", network.bert.pooler(streams.text[:, 1:])) > VISIBLE


def test_match_logits_have_the_published_order(case, network, inputs):
    """1 is a match in the file, as in our order; VOLTA's is reversed."""
    logits = network.match_logits(network(inputs))
    assert moved(case, "itm_logits", logits) < 2e-5
    assert moved(case, "itm_logits", logits.flip(-1)) > VISIBLE


def test_the_token_types_of_words_show(case, network, inputs):
    """They are read where given (one row of the case has some of type 1), and all 0 where not."""
    untyped = network.word_logits(network(replace(inputs, types=None)).text)
    zeros = network.word_logits(network(replace(inputs, types=torch.zeros_like(inputs.ids))).text)
    torch.testing.assert_close(untyped, zeros)
    assert moved(case, "mlm_logits", untyped) > VISIBLE


@pytest.mark.parametrize("table", ["word", "position", "token_type"])
def test_row_zero_of_a_table_is_an_ordinary_vector(case, network, inputs, table):
    """All declare it as padding officially, which acts in training alone."""
    rows = getattr(network.bert.embeddings, f"{table}_embeddings").weight
    assert rows[0].abs().max() > 0
    with torch.no_grad():
        rows[0] = 0
    streams = network(inputs, everything(network))
    assert moved(case, "hidden.t.emb", streams.states["text", 0]) > VISIBLE


def test_one_transform_precedes_all_region_heads(case, network, inputs):
    """Class, attribute and features share it."""
    image = network(inputs).image
    with torch.no_grad():
        network.obj_predict_head.transform.dense.bias.add_(0.5)
    assert moved(case, "mrc_logits", network.region_logits(image)) > VISIBLE
    assert moved(case, "attr_logits", network.attribute_logits(image)) > VISIBLE
    assert moved(case, "feat_regress", network.region_features(image)) > VISIBLE
