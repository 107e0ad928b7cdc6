"""LXMERT's network: the published keys, two streams numbered by depth, padding that changes nothing."""

import json
from dataclasses import replace

import pytest
import torch
from parity.cases import GOLDENS
from parity.regional import everything, row_alone

from vlaudit.errors import CheckpointError, RequestError
from vlaudit.models import bert_layers
from vlaudit.models.lxmert.config import LxmertConfig
from vlaudit.models.lxmert.network import PREFIX, Lxmert
from vlaudit.models.meta_device import build_on_meta
from vlaudit.models.streams.contract import Wanted

PUBLISHED = json.loads((GOLDENS / "lxmert" / "published_layout.json").read_text(encoding="utf-8"))


@pytest.fixture
def full_size():
    """The published sizes, without memory for the weights."""
    with build_on_meta():
        return Lxmert(LxmertConfig.published())


def test_the_full_size_network_has_the_published_keys_and_shapes(full_size):
    """Exactly them, and as many parameters."""
    ours = {name: list(tensor.shape) for name, tensor in full_size.published_state_dict().items()}
    assert ours == PUBLISHED["state_dict"]
    assert all(name.startswith(PREFIX) for name in ours)
    assert sum(p.numel() for p in full_size.parameters()) == PUBLISHED["num_parameters_unique"]


def test_the_published_config_has_the_published_sizes(full_size):
    """The official fields read as our sizes; num_hidden_layers means nothing in this model."""
    stated = PUBLISHED["config"]
    assert LxmertConfig.from_tensors(full_size.state_dict(), stated) == LxmertConfig.published()
    ours = full_size.config.to_json()
    assert {name: ours[name] for name in ours.keys() & stated.keys()}.items() <= stated.items()
    assert {"hidden_size", "l_layers", "num_qa_labels"} <= ours.keys() & stated.keys()


def test_the_longest_caption_is_the_published_one():
    """20 tokens with [CLS] and [SEP]; fewer where the network has fewer positions."""
    assert LxmertConfig.published().max_length == PUBLISHED["preprocessing"]["max_seq_length"]
    assert replace(LxmertConfig.published(), max_positions=12).max_length == 12


def test_there_is_no_background_class():
    """1600 classes: class 0 is the detector's class 1."""
    assert LxmertConfig.published().classes == PUBLISHED["num_region_classes"] == 1600


def test_the_decoder_is_the_word_table(small):
    state = small.state_dict()
    words, decoder = (state[name.removeprefix(PREFIX)] for name in PUBLISHED["aliased_keys"][0])
    assert words.data_ptr() == decoder.data_ptr()


def test_a_number_means_the_same_depth_in_both_modalities(small):
    """Cross layers count on from the longer stack, and so do the stages after them."""
    layout = small.layout
    assert layout.attention == {
        ("text", "text"): (0, 1, 2, 3, 4),
        ("text", "image"): (3, 4),
        ("image", "text"): (3, 4),
        ("image", "image"): (0, 3, 4),
    }
    assert layout.states == {"text": (0, 1, 2, 3, 4, 5), "image": (0, 1, 4, 5)}
    assert (layout.joint_softmax, layout.architecture, layout.global_region) == (False, "two-stream", False)
    published = LxmertConfig.published()
    assert published.first_cross_layer == 9


def test_a_longer_image_stack_moves_the_cross_layers(make, small, batch):
    """No two layers of one modality share a number, whichever stack is longer."""
    network = make(replace(small.config, language_layers=1, relation_layers=3))
    assert network.layout.attention["text", "text"] == (0, 3, 4)
    assert network.layout.states == {"text": (0, 1, 4, 5), "image": (0, 1, 2, 3, 4, 5)}
    wanted = everything(network)
    streams = network(batch, wanted)
    assert (set(streams.attention), set(streams.states)) == (wanted.attention, wanted.states)


def test_only_what_is_wanted_is_kept_and_written_out(small, batch, monkeypatch):
    """The fused kernel runs wherever attention is not read, and what it gives is the same."""
    requested = []
    attend = bert_layers.attend
    monkeypatch.setattr(
        bert_layers, "attend", lambda *args, weights: requested.append(weights) or attend(*args, weights=weights)
    )
    wanted = Wanted(frozenset({("image", "text", 4), ("image", "image", 0)}), frozenset({("text", 3), ("image", 5)}))
    streams = small(batch, wanted)
    assert len(requested) == 3 + 1 + 2 * 4
    assert sum(requested) == 2
    assert (set(streams.attention), set(streams.states)) == (wanted.attention, wanted.states)
    torch.testing.assert_close(streams.text, small(batch).text)
    assert torch.equal(streams.states["image", 5], streams.image)


def test_each_slice_has_its_own_softmax(small, batch):
    """Each slice's rows sum to 1, and padding has a probability of exactly 0."""
    keys_of = {"text": batch.mask, "image": batch.present}
    for (_, keys, _), probabilities in small(batch, everything(small)).attention.items():
        torch.testing.assert_close(probabilities.sum(-1), torch.ones(probabilities.shape[:3]))
        assert (probabilities * (1 - keys_of[keys])[:, None, None]).abs().max() == 0


def test_a_padded_row_is_the_official_pass_over_its_regions(small, batch):
    """With `present` on a padded batch every row equals itself alone without a region mask, the official path."""
    together = small(batch, everything(small))
    for row in range(len(batch.ids)):
        alone = small(replace(row_alone(batch, row), present=None), everything(small))
        lengths = {"text": alone.text.shape[1], "image": alone.image.shape[1]}
        torch.testing.assert_close(together.text[row, : lengths["text"]], alone.text[0])
        torch.testing.assert_close(together.image[row, : lengths["image"]], alone.image[0])
        torch.testing.assert_close(small.match_logits(together)[row], small.match_logits(alone)[0])
        for (queries, keys, layer), probabilities in together.attention.items():
            cut = probabilities[row, :, : lengths[queries], : lengths[keys]]
            torch.testing.assert_close(cut, alone.attention[queries, keys, layer][0])


def test_without_a_region_mask_padding_is_attended(small, batch):
    """The official path knows no padded regions: with `present` of None they count like any other."""
    full = replace(batch, present=torch.ones_like(batch.present))
    nothing = replace(batch, present=None)
    torch.testing.assert_close(small(nothing).text, small(full).text)
    assert (small(nothing).text - small(batch).text).abs().max() > 1e-3


def test_the_streams_meet_in_cross_layers_only(small, batch):
    """Before them the words know nothing of the regions, and the regions nothing of the words."""
    wanted = everything(small)
    before = small(batch, wanted).states
    other_image = small(replace(batch, features=batch.features + 1), wanted).states
    other_text = small(replace(batch, ids=(batch.ids + 7) % 60), wanted).states
    for stage in small.layout.states["text"]:
        assert torch.equal(before["text", stage], other_image["text", stage]) == (stage <= 3)
    for stage in small.layout.states["image"]:
        assert torch.equal(before["image", stage], other_text["image", stage]) == (stage <= 1)


def test_hidden_regions_are_not_marked(small, batch):
    """The official model has no vector for a masked region: zeros are all that it sees."""
    marked = replace(batch, hidden=batch.present.bool())
    assert torch.equal(small(marked).image, small(batch).image)


def test_the_heads_have_the_promised_widths(small, batch):
    streams = small(batch)
    assert small.region_logits(streams.image).shape == (3, 6, 7)
    assert small.attribute_logits(streams.image).shape == (3, 6, 5)
    assert small.region_features(streams.image).shape == (3, 6, 10)
    assert small.word_logits(streams.text).shape == (3, 9, 60)
    assert small.answer_logits(streams).shape == (3, 6)


def test_heads_that_are_lacking_are_refused(make, small, batch):
    """A network of one's own may do without those that audits do not ask."""
    network = make(replace(small.config, attributes=None, answers=None, regresses=False))
    assert not [name for name in network.state_dict() if "answer" in name or "attr" in name or "feat" in name]
    streams = network(batch)
    with pytest.raises(RequestError, match="no head 'attr' for regions, only \\['obj'\\]"):
        network.attribute_logits(streams.image)
    with pytest.raises(RequestError, match="no head 'feat'"):
        network.region_features(streams.image)
    with pytest.raises(RequestError, match="no answer head"):
        network.answer_logits(streams)


def test_words_or_regions_that_do_not_fit_are_refused(small, batch):
    """A caption longer than the position table, and a pass without regions."""
    with pytest.raises(RequestError, match="at most 15 tokens per caption, got 16"):
        small(replace(batch, ids=torch.ones(3, 16, dtype=torch.long), mask=torch.ones(3, 16, dtype=torch.long)))
    with pytest.raises(RequestError, match="features and boxes must be given"):
        small(replace(batch, features=None, boxes=None, present=None))


def test_sizes_that_no_network_has_are_refused(small):
    with pytest.raises(CheckpointError, match="multiple of heads"):
        replace(small.config, heads=5)
