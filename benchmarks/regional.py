"""Cost of a pass of a region model, compared with the class of `transformers` that computes the same.

    python -m benchmarks.regional [--size published|tiny] [--rounds N] [--batch N]

Ratios of two things timed in turn (A B, then B A) in processor time of this process, one torch thread, median over the
rounds. Weights are random, and the same on both sides: outputs are compared before anything is timed. A batch has
captions of 14 tokens and 36 regions, the last row fewer. BERT and the VisualBERT folder are themselves classes of
`transformers`, so they are not compared; ctrl_vilbert has no class there.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmarks.models import machine, positive
from benchmarks.regional_peers import bert_of, lxmert_of, visualbert_of
from benchmarks.timing import HEADER, Row, compare, same
from vlaudit.models.attention import additive_mask
from vlaudit.models.lxmert.config import LxmertConfig
from vlaudit.models.lxmert.network import Lxmert
from vlaudit.models.streams.contract import Inputs, Layout, Wanted
from vlaudit.models.streams.recording import Recorder
from vlaudit.models.uniter.config import UniterConfig
from vlaudit.models.uniter.network import Uniter
from vlaudit.models.volta.config import (
    VoltaConfig,
    published_fields,
    single_stream_sublayers,
    vilbert_sublayers,
)
from vlaudit.models.volta.network import VoltaNetwork

TOKENS, REGIONS = 14, 36
NONE = Wanted()
Reads = Callable[[Wanted], Any]


class Sizes(NamedTuple):
    """The networks of a size."""

    lxmert: LxmertConfig
    uniter: UniterConfig
    visualbert: VoltaConfig
    vilbert: VoltaConfig


def tiny_volta(name: str, sublayers: Mapping[str, Any]) -> VoltaConfig:
    """Return a published config with everything small."""
    small = dict.fromkeys(("hidden_size", "v_hidden_size", "pooler_size", "v_pooler_size"), 64)
    small |= dict.fromkeys(("num_attention_heads", "v_num_attention_heads"), 4)
    small |= dict.fromkeys(("intermediate_size", "v_intermediate_size"), 256)
    small |= {"vocab_size": 600, "max_position_embeddings": 64, "v_feature_size": 64}
    return VoltaConfig.from_json(published_fields(name) | small | dict(sublayers))


def sizes_of(name: str) -> Sizes:
    """Return the networks' sizes: as published, or for a quick check that all of this runs."""
    if name == "published":
        volta = (VoltaConfig.published(f"ctrl_{which}") for which in ("visualbert", "vilbert"))
        return Sizes(LxmertConfig.published(), UniterConfig.published(), *volta)
    return Sizes(
        LxmertConfig(600, 64, 3, 2, 2, heads=4, intermediate=256, region_width=64, answers=50, max_positions=64),
        UniterConfig(600, 64, layers=4, heads=4, intermediate=256, region_width=64, max_positions=64),
        tiny_volta("ctrl_visualbert", single_stream_sublayers(4)),
        tiny_volta("ctrl_vilbert", vilbert_sublayers(2, 2)),
    )


def drawn(layout: Layout, batch: int) -> Inputs:
    """Draw a batch whose last row is padded, as in any real one."""
    mask, present = torch.ones(batch, TOKENS, dtype=torch.long), torch.ones(batch, REGIONS, dtype=torch.long)
    mask[-1, -3:], present[-1, -4:] = 0, 0
    corners = torch.rand(batch, REGIONS, 2) / 2
    boxes = torch.cat([corners, corners + torch.rand(batch, REGIONS, 2) / 2], dim=-1) * present[..., None]
    features = torch.randn(batch, REGIONS, layout.region_width or 0).relu() * present[..., None]
    ids = torch.randint(5, layout.vocabulary_size, mask.shape) * mask
    return Inputs(ids, mask, features, boxes, present, types=torch.zeros_like(mask))


def everything(layout: Layout) -> Wanted:
    """Want the attention of every layer and pair of modalities."""
    return Wanted(frozenset((*pair, layer) for pair, layers in layout.attention.items() for layer in layers))


def one_layer(layout: Layout) -> Wanted:
    """Want the attention of words on regions in the deepest layer."""
    return Wanted(frozenset({("text", "image", layout.attention["text", "image"][-1])}))


def reading_rows(name: str, layout: Layout, ours: Reads, rounds: int) -> Iterator[Row]:
    """Compare passes that read attention with one that reads none, all of them ours."""
    for what, wanted in (("one layer's", one_layer(layout)), ("every layer's", everything(layout))):
        yield compare(
            f"{name}: {what} attention read / none read",
            lambda wanted=wanted: ours(wanted),  # type: ignore[misc]
            lambda: ours(NONE),
            rounds,
        )


def lxmert_rows(config: LxmertConfig, batch: int, rounds: int) -> Iterator[Row]:
    """Compare LXMERT with transformers', with and without heads."""
    network = Lxmert(config).eval()
    network.initialise()
    inputs, layout = drawn(network.layout, batch), network.layout
    whole = lxmert_of(network)
    given = {
        "input_ids": inputs.ids,
        "visual_feats": inputs.features,
        "visual_pos": inputs.boxes,
        "attention_mask": inputs.mask,
        "visual_attention_mask": inputs.present,
        "token_type_ids": inputs.types,
    }
    returned = class_attention(config)

    def ours(wanted: Wanted) -> Any:
        return network(inputs, wanted)

    def theirs(*, attentions: bool) -> Any:
        return whole.lxmert(**given, output_attentions=attentions)

    def headed() -> tuple[Tensor, Tensor, Tensor]:
        streams = ours(NONE)
        return network.word_logits(streams.text), network.match_logits(streams), network.answer_logits(streams)

    same_lxmert(ours(returned), theirs(attentions=True), config)
    expected = whole(**given)
    for head, logits, name in zip(
        ("words", "match", "answers"),
        headed(),
        ("prediction_logits", "cross_relationship_score", "question_answering_score"),
        strict=True,
    ):
        same(f"LXMERT, {head}", logits, expected[name])
    for what, run, other in (
        ("no attention read / LxmertModel", lambda: ours(NONE), lambda: theirs(attentions=False)),
        ("no attention, word, match, answer heads / LxmertForPreTraining", headed, lambda: whole(**given)),
        (
            "attention that the class returns / LxmertModel, the same",
            lambda: ours(returned),
            lambda: theirs(attentions=True),
        ),
        (
            "one layer's attention / LxmertModel, what it returns",
            lambda: ours(one_layer(layout)),
            lambda: theirs(attentions=True),
        ),
    ):
        yield compare(f"LXMERT, {what}", run, other, rounds, at_most=1.0)
    yield from reading_rows("LXMERT", layout, ours, rounds)


def class_attention(config: LxmertConfig) -> Wanted:
    """Want the attention that transformers' LXMERT returns: of the cross layers only that of words on regions."""
    cross = range(config.first_cross_layer, config.first_cross_layer + config.cross_layers)
    return Wanted(
        frozenset(
            {("text", "text", number) for number in range(config.language_layers)}
            | {("image", "image", number) for number in range(config.relation_layers)}
            | {("text", "image", number) for number in cross}
        )
    )


def same_lxmert(ours: Any, theirs: Any, config: LxmertConfig) -> None:
    """Compare the last states, and every attention that the class returns."""
    same("LXMERT, text", ours.text, theirs.language_output)
    same("LXMERT, image", ours.image, theirs.vision_output)
    for queries, keys, first, maps in (
        ("text", "text", 0, theirs.language_attentions),
        ("image", "image", 0, theirs.vision_attentions),
        ("text", "image", config.first_cross_layer, theirs.cross_encoder_attentions),
    ):
        for number, attention in enumerate(maps, start=first):
            same(f"LXMERT, {queries} on {keys}, layer {number}", ours.attention[queries, keys, number], attention)


def single_rows(name: str, layout: Layout, ours: Reads, bert: Callable[[str], Any], rounds: int) -> Iterator[Row]:
    """Compare the layers of a single-stream network with BERT's; `bert` makes a pass with one of its kernels."""
    fused, eager = bert("sdpa"), bert("eager")
    read, expected = ours(everything(layout)), eager(output_attentions=True)
    last = torch.cat([read[0]["text"], read[0]["image"]], dim=1)
    same(f"{name}, layers, attention read", last, expected.last_hidden_state)
    bare = ours(NONE)[0]
    same(f"{name}, layers", torch.cat([bare["text"], bare["image"]], dim=1), fused().last_hidden_state)
    for number, attention in enumerate(expected.attentions):
        same(f"{name}, attention", read[1]["text", "image", number], attention[:, :, :TOKENS, TOKENS:])
        same(f"{name}, attention", read[1]["image", "text", number], attention[:, :, TOKENS:, :TOKENS])
    for what, wanted, peer in (
        ("no attention read / BertModel, sdpa", NONE, fused),
        ("no attention read / BertModel, eager", NONE, eager),
        (
            "all attention / BertModel, eager, all attention",
            everything(layout),
            lambda: eager(output_attentions=True),
        ),
        (
            "one layer's / BertModel, eager, all attention",
            one_layer(layout),
            lambda: eager(output_attentions=True),
        ),
    ):
        run = lambda wanted=wanted: ours(wanted)  # noqa: E731 (bound now)
        yield compare(f"{name} layers, {what}", run, peer, rounds, at_most=1.0)


def given_to(model: Any, states: Tensor, allowed: Tensor) -> Callable[..., Any]:
    """Return a pass of BERT's layers over these states."""
    return lambda **more: model(inputs_embeds=states, attention_mask=allowed, **more)


def uniter_rows(config: UniterConfig, batch: int, rounds: int) -> Iterator[Row]:
    """Compare UNITER's layers with BERT's."""
    network = Uniter(config).eval()
    network.initialise()
    layout = network.layout
    inputs = drawn(layout, batch)
    states, allowed = torch.randn(batch, TOKENS + REGIONS, config.width), both(inputs)

    def ours(wanted: Wanted) -> Any:
        recorder = Recorder(wanted)
        last = network.uniter.encoder(states, allowed, TOKENS, recorder)
        return {"text": last[:, :TOKENS], "image": last[:, TOKENS:]}, recorder.attention

    yield from single_rows(
        "UNITER", layout, ours, lambda attention: given_to(bert_of(network, attention), states, allowed), rounds
    )
    yield from reading_rows("UNITER", layout, lambda wanted: network(inputs, wanted), rounds)


def both(inputs: Inputs) -> Tensor:
    """Return the mask of real positions of the joint sequence."""
    return torch.cat([at for at in (inputs.mask, inputs.present) if at is not None], dim=1)


def visualbert_rows(config: VoltaConfig, batch: int, rounds: int) -> Iterator[Row]:
    """Compare ctrl_visualbert's sublayers with BERT's layers, and its whole pass with transformers' VisualBERT."""
    network = VoltaNetwork(config).eval()
    network.initialise()
    layout = network.layout
    inputs = drawn(layout, batch)
    text, image = torch.randn(batch, TOKENS, config.hidden_size), torch.randn(batch, REGIONS, config.hidden_size)

    def ours(wanted: Wanted) -> Any:
        masks = {
            "text": additive_mask(allowed[:, :TOKENS], text.dtype),
            "image": additive_mask(allowed[:, TOKENS:], text.dtype),
        }
        attention = {(queries, keys, 2 * layer) for queries, keys, layer in wanted.attention}
        run = network.bert.encoder({"text": text, "image": image}, masks, attention=attention)
        return run.last, {(queries, keys, at // 2): found for (queries, keys, at), found in run.attention.items()}

    states, allowed = torch.cat([text, image], dim=1), both(inputs)
    name = "ctrl_visualbert"
    yield from single_rows(
        name, layout, ours, lambda attention: given_to(bert_of(network, attention), states, allowed), rounds
    )
    yield from whole_visualbert_rows(network, inputs, rounds)
    yield from reading_rows(name, layout, lambda wanted: network(inputs, wanted), rounds)


def whole_visualbert_rows(network: VoltaNetwork, inputs: Inputs, rounds: int) -> Iterator[Row]:
    """Compare whole passes, embeddings included."""
    model, layout = visualbert_of(network), network.layout

    def theirs(**more: bool) -> Any:
        return model(
            inputs.ids,
            attention_mask=inputs.mask,
            token_type_ids=inputs.types,
            visual_embeds=inputs.features,
            visual_attention_mask=inputs.present,
            **more,
        )

    streams = network(inputs, NONE)
    same("ctrl_visualbert", torch.cat([streams.text, streams.image], dim=1), theirs().last_hidden_state)
    yield compare(
        "ctrl_visualbert, no attention read / VisualBertModel",
        lambda: network(inputs, NONE),
        theirs,
        rounds,
        at_most=1.0,
    )
    yield compare(
        "ctrl_visualbert, all attention / VisualBertModel, all attention",
        lambda: network(inputs, everything(layout)),
        lambda: theirs(output_attentions=True),
        rounds,
        at_most=1.0,
    )


def vilbert_rows(config: VoltaConfig, batch: int, rounds: int) -> Iterator[Row]:
    """Compare ctrl_vilbert with itself: transformers has no class for it."""
    network = VoltaNetwork(config).eval()
    network.initialise()
    inputs = drawn(network.layout, batch)
    yield from reading_rows("ctrl_vilbert", network.layout, lambda wanted: network(inputs, wanted), rounds)


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.regional", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--size", choices=("published", "tiny"), default="published", help="tiny: a check that it runs")
    parser.add_argument("--rounds", type=positive, default=5, help="times that each side is timed (5)")
    parser.add_argument("--batch", type=positive, default=2, help="captions in a batch, each with its regions (2)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes, batch, rounds = sizes_of(options.size), options.batch, options.rounds
    print(f"{options.size} size, batch {batch}, {rounds} rounds; {machine()}")
    print(HEADER)
    with torch.inference_mode():
        for rows in (
            lxmert_rows(sizes.lxmert, batch, rounds),
            uniter_rows(sizes.uniter, batch, rounds),
            visualbert_rows(sizes.visualbert, batch, rounds),
            vilbert_rows(sizes.vilbert, batch, rounds),
        ):
            for row in rows:
                print(row, flush=True)


if __name__ == "__main__":
    main()
