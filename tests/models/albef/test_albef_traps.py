"""The fidelity traps (tests/goldens/albef/README.md) are observable: each mistake moves an official output.

Parity shows that we make none of them; this shows that parity would notice.
"""

from dataclasses import replace
from functools import partial

import pytest
import torch
from parity.albef import encode, load_case

from vlaudit.models import bert_layers
from vlaudit.models.albef import image_encoder as vision_module
from vlaudit.models.albef.losses import distilled_masked_word_loss, masked_word_loss
from vlaudit.models.albef.network import Albef

VISIBLE = 4e-4
"""Twenty times the parity tolerance; the smallest mistake that the README measures is 5e-4."""


def rebuilt(network, *, vision_eps=None, text_eps=None):
    """Return the network with the same weights and another epsilon."""
    config = network.config
    if vision_eps is not None:
        config = replace(config, vision=replace(config.vision, layer_norm_eps=vision_eps))
    if text_eps is not None:
        config = replace(config, text=replace(config.text, layer_norm_eps=text_eps))
    changed = Albef(config, momentum=True).eval().requires_grad_(requires_grad=False)
    changed.load_state_dict(network.state_dict())
    return changed


def results(network, inputs):
    """Return the outputs that the mistakes are looked for in."""
    image, text, fused = encode(network, inputs)
    masked = encode(network, inputs | {"input_ids": inputs["mlm_input_ids"]})[2]
    return {
        "image_embeds": image.last,
        "text_embeds": text.last,
        "fusion_embeds": fused.last,
        "itm_logits": network.itm_logits(fused.last),
        "mlm_logits": network.word_logits(masked.last),
    }


def moved(case, name, wrong):
    """Return the largest distance from the official output."""
    return (wrong - case.expected[name]).abs().max().item()


@pytest.fixture
def weights(network):
    """Return the network's own tensors, to be spoilt in place."""
    return network.state_dict()


@pytest.mark.parametrize("eps", [1e-5, 1e-12])
def test_epsilon_of_the_image_encoder_shows(tiny_even, eps):
    """Trap 1: 1e-6 in the ViT, neither torch's own 1e-5 nor BERT's 1e-12."""
    network = rebuilt(load_case(tiny_even, "cpu"), vision_eps=eps)
    assert moved(tiny_even, "image_embeds", results(network, tiny_even.inputs)["image_embeds"]) > VISIBLE


def test_epsilon_of_the_text_encoder_shows(case, network):
    """Trap 1: 1e-12 on the text side, not the ViT's 1e-6."""
    wrong = results(rebuilt(network, text_eps=1e-6), case.inputs)["mlm_logits"]
    assert moved(case, "mlm_logits", wrong) > VISIBLE


@pytest.mark.parametrize(
    ("module", "name"), [(vision_module, "image_embeds"), (bert_layers, "mlm_logits")], ids=["image", "text"]
)
def test_approximate_gelu_shows(tiny_even, monkeypatch, module, name):
    """Trap 2: the exact GELU, in both encoders."""
    monkeypatch.setattr(module.F, "gelu", partial(torch.nn.functional.gelu, approximate="tanh"))
    network = load_case(tiny_even, "cpu")
    assert moved(tiny_even, name, results(network, tiny_even.inputs)[name]) > VISIBLE


@pytest.mark.parametrize("order", ["kqv", "vkq", "qvk"])
def test_order_of_query_key_and_value_shows(case, network, weights, order):
    """Trap 3: one matrix holds q, k and v, in that order."""
    for key, tensor in weights.items():
        if ".attn.qkv." in key:
            parts = dict(zip("qkv", tensor.clone().chunk(3), strict=True))
            tensor.copy_(torch.cat([parts[part] for part in order]))
    assert moved(case, "image_embeds", results(network, case.inputs)["image_embeds"]) > VISIBLE


def test_image_cls_is_read_by_the_fusion_layers(case, network):
    """Trap 5: cross-attention reads [CLS] of the image too."""
    image, text, _ = encode(network, case.inputs)
    without = network.fuse(text.last, case.inputs["attention_mask"], image.last[:, 1:])
    assert moved(case, "fusion_embeds", without.last) > VISIBLE


def test_final_norm_comes_before_fusion(case, network):
    """Trap 5: cross-attention reads the normed image states, not those that leave the last block."""
    image, text, _ = encode(network, case.inputs, states=True)
    raw = image.states[network.config.vision.depth]
    unnormed = network.fuse(text.last, case.inputs["attention_mask"], raw)
    assert moved(case, "fusion_embeds", unnormed.last) > VISIBLE


def test_lost_padding_mask_shows(case, network):
    """Trap 6: padded words must not be read, which the [CLS] row shows."""
    inputs = case.inputs | {"attention_mask": torch.ones_like(case.inputs["attention_mask"])}
    assert moved(case, "itm_logits", results(network, inputs)["itm_logits"]) > VISIBLE


@pytest.mark.parametrize(
    ("table", "spoil"),
    [("token_type_embeddings", torch.zeros_like), ("position_embeddings", partial(torch.roll, shifts=2, dims=0))],
)
def test_segment_and_position_vectors_count(case, network, weights, table, spoil):
    """Trap 8: segment 0 is always added, and positions start at 0, not at 2."""
    tensor = weights[f"text_encoder.bert.embeddings.{table}.weight"]
    tensor.copy_(spoil(tensor.clone()))
    assert moved(case, "text_embeds", results(network, case.inputs)["text_embeds"]) > VISIBLE


def test_embedding_the_text_again_before_fusion_shows(case, network):
    """Trap 11: the text pass enters the fusion layers unchanged, without another embedding norm."""
    image, text, _ = encode(network, case.inputs)
    again = network.text_encoder.bert.embeddings.LayerNorm(text.last)
    fused = network.fuse(again, case.inputs["attention_mask"], image.last)
    assert moved(case, "itm_logits", network.itm_logits(fused.last)) > VISIBLE


def test_masked_ids_for_matching_show(case, network):
    """Trap 12: matching reads the unmasked caption."""
    inputs = case.inputs | {"input_ids": case.inputs["mlm_input_ids"]}
    assert moved(case, "itm_logits", results(network, inputs)["itm_logits"]) > VISIBLE


def test_momentum_weights_are_others(case, network):
    """The momentum copies are a model of their own: confusing the two shows."""
    slow = network.momentum_view()
    image = slow.encode_image(case.inputs["pixel_values"]).last
    assert moved(case, "image_embeds", image) > VISIBLE
    assert moved(case, "image_feat", slow.image_feature(image)) > VISIBLE


def test_word_head_has_its_bias_and_table(case, network, weights):
    """Trap 13: the decoder is the word table, so spoiling the table moves the logits even at the head alone."""
    fused = encode(network, case.inputs | {"input_ids": case.inputs["mlm_input_ids"]})[2].last
    for key in ("cls.predictions.bias", "bert.embeddings.word_embeddings.weight"):
        before = network.word_logits(fused)
        weights[f"text_encoder.{key}"].add_(0.1)
        assert (network.word_logits(fused) - before).abs().max() > VISIBLE


def test_losses_average_over_labelled_positions(case, network):
    """Trap 15: both parts of the distilled loss leave unmasked positions out, in number and in value."""
    inputs = case.inputs | {"input_ids": case.inputs["mlm_input_ids"]}
    labels = case.inputs["mlm_labels"]
    logits = network.word_logits(encode(network, inputs)[2].last)
    teacher = logits.flip(-1)
    spoilt = logits.where(labels[..., None] != -100, 7 * logits)
    for alpha in (0.0, 0.3, 1.0):
        loss = distilled_masked_word_loss(logits, teacher, labels, alpha)
        torch.testing.assert_close(loss, distilled_masked_word_loss(spoilt, teacher, labels, alpha))
        everywhere = (1 - alpha) * masked_word_loss(logits, labels) + alpha * _soft(logits, teacher)
        assert alpha == 0 or (loss - everywhere).abs() > VISIBLE


def _soft(logits, teacher):
    return -(teacher.softmax(-1) * logits.log_softmax(-1)).sum(-1).mean()


def test_distilled_loss_has_its_two_ends(case, network):
    """Alpha 0 is the label loss; alpha 1 against oneself is the entropy of the prediction."""
    labels = case.inputs["mlm_labels"]
    logits = network.word_logits(encode(network, case.inputs)[2].last)
    hard = distilled_masked_word_loss(logits, logits.flip(-1), labels, 0.0)
    torch.testing.assert_close(hard, masked_word_loss(logits, labels))
    own = distilled_masked_word_loss(logits, logits, labels, 1.0)
    torch.testing.assert_close(own, _soft(logits[labels != -100], logits[labels != -100]))
