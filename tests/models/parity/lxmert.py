"""Every official LXMERT output, computed with our network (their names: tests/goldens/REGION_MODELS.md)."""

import dataclasses

import torch
from parity.regional import everything, load_network
from torch.nn import functional as F

from vlaudit.models.streams.contract import Inputs

SCALE = 1 / 0.15
"""Weight of the three losses over regions: pretraining masks 15 in 100 regions."""


def outputs(case, device):
    """Return name -> tensor for everything that the official code was requested."""
    given = {name: tensor.to(device) for name, tensor in case.inputs.items()}
    network = load_network(case, device)
    batch = inputs_of(given)
    streams = network(batch, everything(network))
    computed = passes(network, streams) | heads(network, streams)
    unmasked = heads(network, network(dataclasses.replace(batch, present=None)))
    unmasked |= losses(unmasked, given)
    return computed | {f"nomask.{name}": tensor for name, tensor in unmasked.items()}


def inputs_of(given):
    """Return the batch with its region mask."""
    return Inputs(
        given["input_ids"],
        given["attention_mask"],
        given["features"],
        given["spatials"],
        given["image_mask"],
        types=given["token_type_ids"],
    )


def passes(network, streams):
    """Name our layers as the goldens do: by stack, each counted from 0."""
    first = network.config.first_cross_layer
    initial = {"text": "t", "image": "v"}
    own = {"text": "l", "image": "r"}

    def place(modality, layer):
        return f"x{layer - first}" if layer >= first else f"{own[modality]}{layer}"

    named = {
        f"hidden.{initial[modality]}.{place(modality, stage - 1) if stage else 'emb'}": states
        for (modality, stage), states in streams.states.items()
    }
    return named | {
        f"attn.{initial[queries]}{initial[keys]}.{place(queries, layer)}": probabilities
        for (queries, keys, layer), probabilities in streams.attention.items()
    }


def heads(network, streams):
    return {
        "mlm_logits": network.word_logits(streams.text),
        "itm_logits": network.match_logits(streams),
        "mrc_logits": network.region_logits(streams.image),
        "attr_logits": network.attribute_logits(streams.image),
        "feat_regress": network.region_features(streams.image),
        "qa_logits": network.answer_logits(streams),
        "pooled": network.pooled(streams),
    }


def losses(computed, given):
    """Return the six losses of pretraining and their sum."""

    def classes(logits, labels):
        return F.cross_entropy(logits.flatten(0, -2), labels.flatten(), ignore_index=-1, reduction="none")

    def over_regions(loss, weights):
        return (loss * weights.flatten()).mean() * SCALE

    features = F.smooth_l1_loss(computed["feat_regress"], given["feat_targets"], reduction="none").mean(-1)
    parts = [
        F.cross_entropy(computed["mlm_logits"].flatten(0, 1), given["lm_labels"].flatten(), ignore_index=-1),
        F.cross_entropy(computed["itm_logits"], given["matched_label"], ignore_index=-1),
        over_regions(classes(computed["mrc_logits"], given["obj_labels"]), given["obj_confs"]),
        over_regions(classes(computed["attr_logits"], given["attr_labels"]), given["attr_confs"]),
        over_regions(features.flatten(), given["feat_mask"]),
        F.cross_entropy(computed["qa_logits"], given["ans"], ignore_index=-1),
    ]
    return {"loss.mlm_matched_obj_attr_feat_qa": torch.stack(parts), "loss.total": torch.stack(parts).sum()[None]}
