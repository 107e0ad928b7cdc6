"""Every official UNITER output, computed with our network (their names: tests/goldens/REGION_MODELS.md)."""

import dataclasses

import torch
from parity.regional import everything, load_network
from torch.nn import functional as F

from vlaudit.models.streams.contract import Inputs


def outputs(case, device):
    """Return name -> tensor for everything that the official code was requested."""
    given = {name: tensor.to(device) for name, tensor in case.inputs.items()}
    network = load_network(case, device)
    words, regions = given["attention_mask"], given["image_mask"]
    clean, masked = inputs_of(given), inputs_of(given, hidden=True)
    streams, hiding = network(clean, everything(network)), network(masked, everything(network))
    computed = passes(streams, words, regions)
    computed |= {f"mrc_run.{name}": tensor for name, tensor in passes(hiding, words, regions).items()}
    computed |= {
        "mlm_logits": shown(network.word_logits(streams.text), words),
        "itm_logits": network.match_logits(streams),
        "pooled": network.pooled(streams),
        "mrc_logits": shown(network.region_logits(hiding.image), regions),
        "feat_regress": shown(network.region_features(hiding.image), regions),
        "packed.hidden.last": packed(streams, given["gather_index"]),
    }
    return computed | losses(computed, given)


def inputs_of(given, *, hidden=False):
    """Return the batch: with clean features and nothing marked, or with masked regions zeroed and marked."""
    batch = Inputs(
        given["input_ids"],
        given["attention_mask"],
        given["features"],
        given["spatials"][..., :4],
        given["image_mask"],
        types=given["token_type_ids"],
    )
    if not hidden:
        return batch
    return dataclasses.replace(batch, features=given["features_masked"], hidden=given["img_masks"].bool())


def shown(tensor, mask):
    """Set padding to zero, as in the goldens: the official code has no such positions."""
    return tensor * mask.reshape(*mask.shape, *[1] * (tensor.ndim - mask.ndim))


def passes(streams, words, regions):
    named = {f"hidden.t.{n}": shown(states, words) for (kind, n), states in streams.states.items() if kind == "text"}
    named |= {f"hidden.v.{n}": shown(s, regions) for (kind, n), s in streams.states.items() if kind == "image"}
    real = torch.cat([words, regions], dim=1)
    for layer in {layer for _, _, layer in streams.attention}:
        rows = [
            torch.cat([streams.attention[queries, keys, layer] for keys in ("text", "image")], dim=-1)
            for queries in ("text", "image")
        ]
        named[f"attn.joint.{layer}"] = torch.cat(rows, dim=-2) * real[:, None, :, None]
    return named


def packed(streams, gather_index):
    """Order the states as the official code packs them: every row's regions right after its words."""
    states = torch.cat([streams.text, streams.image], dim=1)
    return states.gather(1, gather_index[..., None].expand(-1, -1, states.shape[-1]))


def losses(computed, given):
    labels, hidden = given["lm_labels"], given["img_masks"].bool()
    classes, targets = computed["mrc_logits"][hidden], given["mrc_label_targets"]
    hardest = targets[:, 1:].argmax(dim=-1) + 1  # never background
    return {
        "loss.mlm_per_token": F.cross_entropy(
            computed["mlm_logits"][labels != -1], labels[labels != -1], reduction="none"
        ),
        "loss.itm_per_row": F.cross_entropy(computed["itm_logits"], given["itm_label"], reduction="none"),
        "loss.mrc_kl_elementwise": F.kl_div(classes.log_softmax(dim=-1), targets, reduction="none"),
        "loss.mrc_xe_per_region": F.cross_entropy(classes, hardest, reduction="none"),
    }
