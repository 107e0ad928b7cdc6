"""Every official ALBEF output, computed with our network (their names: tests/goldens/albef/README.md)."""

import vlaudit
from vlaudit.models.albef.losses import distilled_masked_word_loss, masked_word_loss

DISTILLED = "mlm_loss_distill_a"


def load_case(case, device, image_size=None):
    """Return the network of a case, with its momentum towers, at the stored or another resolution."""
    model = vlaudit.load(
        case.family, checkpoint=case.checkpoint, device=str(device), image_size=image_size, momentum=True
    )
    return model.network


def outputs(case, device):
    """Return name -> tensor for everything that the official code was requested."""
    inputs = {name: tensor.to(device) for name, tensor in case.inputs.items()}
    network = load_case(case, device)
    computed = passes(network, inputs) | contrastive(network, inputs) | matching(network, inputs)
    computed |= masked_words(network, inputs, case.names)
    if "pixel_values_hires" in inputs:
        size = inputs["pixel_values_hires"].shape[-1]
        computed |= high_resolution(load_case(case, device, image_size=size), inputs)
    return computed


def encode(network, inputs, **wanted):
    """Return the image pass, the text pass and the fusion pass of the matched rows."""
    mask = inputs["attention_mask"]
    image = network.encode_image(inputs["pixel_values"], **wanted)
    text = network.encode_text(inputs["input_ids"], mask, **wanted)
    return image, text, network.fuse(text.last, mask, image.last, **wanted)


def passes(network, inputs):
    image, text, fused = encode(network, inputs, weights=True, states=True)
    named = {"image_embeds": image.last, "text_embeds": text.last, "fusion_embeds": fused.last}
    for prefix, layers in (
        ("hidden.vit", image.states),
        ("hidden.text", text.states),
        ("hidden.fusion", fused.states),
        ("attn.vit", image.self_attention),
        ("attn.self", {**text.self_attention, **fused.self_attention}),
        ("attn.cross", fused.cross_attention),
    ):
        named |= {f"{prefix}.{number}": tensor for number, tensor in layers.items()}
    return named


def features(towers, inputs):
    text = towers.encode_text(inputs["input_ids"], inputs["attention_mask"]).last
    return towers.image_feature(towers.encode_image(inputs["pixel_values"]).last), towers.text_feature(text)


def contrastive(network, inputs):
    image, text = features(network, inputs)
    slow_image, slow_text = features(network.momentum_view(), inputs)
    return {
        "image_feat": image,
        "text_feat": text,
        "image_feat_m": slow_image,
        "text_feat_m": slow_text,
        "itc_logits": image @ text.T / network.temp,
    }


def matching(network, inputs):
    image, text, fused = encode(network, inputs)
    images, texts, mask = len(image.last), len(text.last), inputs["attention_mask"]
    pairs = network.fuse(
        text.last.repeat(images, 1, 1), mask.repeat(images, 1), image.last.repeat_interleave(texts, dim=0)
    )
    return {
        "itm_logits": network.itm_logits(fused.last),
        "itm_logits_pairs": network.itm_logits(pairs.last).reshape(images, texts, 2),
    }


def masked_words(network, inputs, names):
    masked = inputs | {"input_ids": inputs["mlm_input_ids"]}
    _, text, fused = encode(network, masked, states=True)
    logits, labels = network.word_logits(fused.last), inputs["mlm_labels"]
    slow = network.momentum_view()
    teacher = slow.word_logits(encode(slow, masked)[2].last)
    distilled = {
        name: distilled_masked_word_loss(logits, teacher, labels, float(name.removeprefix(DISTILLED)))
        for name in names
        if name.startswith(DISTILLED)
    }
    losses = {"mlm_loss_hard": masked_word_loss(logits, labels)} | distilled
    return {
        "mlm_logits": logits,
        **{f"hidden.mlm.{n}": state for n, state in (text.states | fused.states).items()},
        **{name: loss.reshape(1) for name, loss in losses.items()},
    }


def high_resolution(network, inputs):
    pixels = inputs["pixel_values_hires"]
    rows = {name: inputs[name][: len(pixels)] for name in ("input_ids", "attention_mask")}
    image, _, fused = encode(network, rows | {"pixel_values": pixels})
    return {
        "hires.pos_embed": network.visual_encoder.pos_embed.detach(),
        "hires.image_embeds": image.last,
        "hires.image_feat": network.image_feature(image.last),
        "hires.itm_logits": network.itm_logits(fused.last),
    }
