"""Every official output of a controlled VOLTA model, computed with ours (names: tests/goldens/REGION_MODELS.md)."""

import torch
from parity.regional import load_network

from vlaudit.models.streams.contract import Inputs, Wanted
from vlaudit.models.streams.losses import masked_word_loss, match_loss, region_class_kl
from vlaudit.models.volta.encoder import KINDS, MODALITIES
from vlaudit.models.volta.network import VoltaNetwork

LETTER = {"text": "t", "image": "v"}


def outputs(case, device):
    """Return name -> tensor for everything that the official code was requested."""
    given = {name: tensor.to(device) for name, tensor in case.inputs.items()}
    network, batch = as_official(load_network(case, device)), inputs_of(given)
    heads = answers(network, batch)
    computed = heads | passes(network, batch) | losses(network, heads, given)
    rows = [row_of(batch, slice(i, i + 1)) for i in range(len(batch.ids))]
    alone = [{**answers(network, row), **passes(network, row)} for row in rows]
    recorded = [name for name in case.names if name.startswith("rows_alone.")]
    return computed | {name: torch.cat([row[name.removeprefix("rows_alone.")] for row in alone]) for name in recorded}


def as_official(network):
    """Return the network with the official code's dependence on batch mates (ctrl_vl-bert)."""
    official = VoltaNetwork(network.config, positions="batch").eval()
    official.load_state_dict(network.state_dict())
    return official.to(next(network.parameters()).device)


def inputs_of(given):
    """Return the batch of a case."""
    return Inputs(
        given["input_ids"],
        given["attention_mask"],
        given["features"],
        given["spatials"][..., :4],
        given["image_mask"],
        types=given["token_type_ids"],
    )


def row_of(inputs, rows, *, length=None, regions=None):
    """Return some rows of a batch, cut to a length and a number of regions."""
    text, image = (rows, slice(length)), (rows, slice(regions))
    return Inputs(
        inputs.ids[text],
        inputs.mask[text],
        inputs.features[image],
        inputs.boxes[image],
        inputs.present[image],
        types=None if inputs.types is None else inputs.types[text],
    )


def answers(network, inputs):
    streams = network(inputs, Wanted())
    text, image = network.pooled(streams)
    return {
        "pooled.t": text,
        "pooled.v": image,
        "pooled.fused": text * image,
        "mlm_logits": network.word_logits(streams.text),
        "mrc_logits": network.region_logits(streams.image),
        # the official order is (match, no match)
        "itm_logits": network.match_logits(streams).flip(-1),
    }


def passes(network, inputs):
    config = network.config
    attention = [(*pair, number) for pair, kind in KINDS.items() for number in config.kind(kind)]
    kept = [(modality, stage) for modality in MODALITIES for stage in range(config.sublayers + 1)]
    run = network.encode(inputs, attention=attention, kept=kept)
    named = {f"hidden.{LETTER[modality]}.{stage}": state for (modality, stage), state in run.states.items()}
    if config.single_stream:
        return named | {f"attn.joint.{number}": joint(run.attention, number) for number in config.kind("tt")}
    return named | {f"attn.{KINDS[asks, has]}.{n}": tensor for (asks, has, n), tensor in run.attention.items()}


def joint(attention, number):
    """Put the four slices of a shared attention together again."""
    rows = [torch.cat([attention[asks, has, number] for has in MODALITIES], dim=-1) for asks in MODALITIES]
    return torch.cat(rows, dim=-2)


def losses(network, heads, given):
    words, regions, masked = heads["mlm_logits"], heads["mrc_logits"][:, 1:], given["image_label"] == 1
    by_word = [masked_word_loss(*row) for row in zip(words, given["lm_labels"], strict=True)]
    by_region = [region_class_kl(*row) for row in zip(regions, given["image_cls"], masked, strict=True)]
    return {
        "loss.mlm": masked_word_loss(words, given["lm_labels"]).reshape(1),
        "loss.mrc_kl": region_class_kl(regions, given["image_cls"], masked).reshape(1),
        "loss.itm": match_loss(heads["itm_logits"].flip(-1), given["itm_label"] == 0).reshape(1),
        "loss.mlm_per_row": torch.stack(by_word),
        "loss.mrc_kl_per_row": torch.stack(by_region),
    }
