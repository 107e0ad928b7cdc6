"""Cost of ALBEF, compared with the nearest classes of `transformers` and with a plain read of its file.

    python -m benchmarks.models [--size published|tiny] [--part all|passes|loading] [--rounds N] [--batch N]

Everything is a ratio of two things timed in turn (A B, then B A), one torch thread, median over the rounds, so that
other processes of the machine affect both. Passes are in processor time of this process; a load, which has a
second thread, in wall time, and without that thread's work in processor time; files are in the page cache. Weights
are random, and the same on both sides: outputs are compared before anything is timed. Files are in a temporary
folder that is deleted at the end (published size: 3.6 GB). Aims are for the published size.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import transformers
from torch import Tensor

from benchmarks.loading import load_rows, loaded, write_files
from benchmarks.peers import bert_of, blip_of, vit_of
from benchmarks.timing import HEADER, Row, compare, duel, same
from vlaudit.models.albef.config import AlbefConfig, TextConfig, VisionConfig
from vlaudit.models.albef.network import Albef
from vlaudit.models.attention import additive_mask
from vlaudit.models.base import ForwardRequest
from vlaudit.models.streams.adapter import EncoderAdapter
from vlaudit.samples import Image, Sample, Slot, words_of
from vlaudit.traces import Match, Words

CAPTION_WORDS = 12
SIZES = {
    "published": AlbefConfig.published(),
    "tiny": AlbefConfig(
        VisionConfig(64, 16, width=64, depth=4, heads=4),
        TextConfig(600, 64, layers=4, heads=4, intermediate=256, fusion_layer=2, encoder_width=64),
        projection=32,
        queue_size=512,
    ),
}


def vit_rows(network: Albef, batch: int, rounds: int) -> Iterator[Row]:
    """Compare the image encoders."""
    size, depth = network.config.vision.image_size, network.config.vision.depth
    pixels = torch.randn(batch, 3, size, size)
    fused, eager = vit_of(network, "sdpa"), vit_of(network, "eager")
    ours, theirs = network.encode_image(pixels, weights=True), eager(pixels, output_attentions=True)
    same("ViT", network.encode_image(pixels).last, fused(pixels).last_hidden_state)
    same("ViT attention", ours.self_attention[depth - 1], theirs.attentions[-1])
    yield compare(
        "ViT, no attention read / ViTModel, sdpa",
        lambda: network.encode_image(pixels),
        lambda: fused(pixels),
        rounds,
        at_most=1.0,
    )
    for what, layers in (("every layer's", True), ("one layer's", (depth - 1,))):
        yield compare(
            f"ViT, {what} attention read / ViTModel, eager, output_attentions",
            lambda layers=layers: network.encode_image(pixels, weights=layers),  # type: ignore[misc]
            lambda: eager(pixels, output_attentions=True),
            rounds,
            at_most=1.0,
        )


def text_rows(network: Albef, batch: int, rounds: int) -> Iterator[Row]:
    """Compare the text encoder with BERT, and the fusion layers with BLIP's and with a decoder BERT's."""
    sizes, length = network.config.text, CAPTION_WORDS + 2
    ids, mask = torch.randint(5, sizes.vocab_size, (batch, length)), torch.ones(batch, length, dtype=torch.long)
    mask[-1, -3:] = 0  # padding, as in any real batch
    yield from caption_rows(network, ids, mask, rounds)
    words = network.encode_text(ids, mask).last
    image = torch.randn(batch, network.config.vision.grid**2 + 1, sizes.encoder_width)
    yield from fusion_rows(network, words, mask, image, rounds)


def caption_rows(network: Albef, ids: Tensor, mask: Tensor, rounds: int) -> Iterator[Row]:
    """Compare the layers that read the caption alone."""
    bert = bert_of(network, range(network.config.text.fusion_layer), "sdpa")
    same("text", network.encode_text(ids, mask).last, bert(ids, mask).last_hidden_state)
    yield compare(
        "text encoder, no attention read / BertModel, sdpa",
        lambda: network.encode_text(ids, mask),
        lambda: bert(ids, mask),
        rounds,
        at_most=1.0,
    )


def fusion_rows(network: Albef, words: Tensor, mask: Tensor, image: Tensor, rounds: int) -> Iterator[Row]:
    """Compare the layers that read the image. BLIP's are eager only; BERT's decoder can run the fused kernel."""
    sizes = network.config.text
    layers = range(sizes.fusion_layer, sizes.layers)
    blip, bert = blip_of(network, layers), bert_of(network, layers, "sdpa")
    everything, added = torch.ones(image.shape[:2], dtype=torch.long), additive_mask(mask, words.dtype)

    def theirs(*, attentions: bool) -> Any:
        return blip(
            encoder_embeds=words,
            attention_mask=mask,
            encoder_hidden_states=image,
            encoder_attention_mask=everything,
            output_attentions=attentions,
        )

    def decoder() -> Tensor:
        # A mask of four axes is used unchanged, without a causal mask. Called below the embeddings, which it lacks.
        wide = added.expand(-1, -1, words.shape[1], -1)
        states: Tensor = bert.encoder(words, attention_mask=wide, encoder_hidden_states=image).last_hidden_state
        return states

    def ours(weights: bool | tuple[int, ...] = False) -> Any:
        return network.fuse(words, mask, image, weights=weights)

    same("fusion, BLIP", ours().last, theirs(attentions=False).last_hidden_state)
    same("fusion, BERT", ours().last, decoder())
    same("fusion attention", ours(True).cross_attention[sizes.layers - 1], theirs(attentions=True).cross_attentions[-1])
    yield compare(
        "fusion, no attention read / BlipTextModel", ours, lambda: theirs(attentions=False), rounds, at_most=1.0
    )
    yield compare("fusion, no attention read / decoder BertModel's layers, sdpa", ours, decoder, rounds, at_most=1.0)
    for what, weights in (("every layer's", True), ("one layer's", (sizes.layers - 1,))):
        yield compare(
            f"fusion, {what} attention read / BlipTextModel, output_attentions",
            lambda weights=weights: ours(weights),  # type: ignore[misc]
            lambda: theirs(attentions=True),
            rounds,
            at_most=1.0,
        )


def variant_rows(adapter: EncoderAdapter, batch: int, rounds: int) -> Iterator[Row]:
    """Compare a new caption on a remembered image with a new caption on a new image, image reading included."""
    draw = np.random.default_rng(0)
    vocabulary = [word for word in adapter.vocabulary if word.isalpha()]
    size = network_size(adapter)
    seen = [Image.from_array(draw.integers(0, 256, (size, size, 3), dtype=np.uint8)) for _ in range(batch)]

    def ask(images: Sequence[Image]) -> object:
        samples = [sample_of(image, list(draw.choice(vocabulary, CAPTION_WORDS))) for image in images]
        return adapter.forward([ForwardRequest(sample, frozenset({Words(), Match()})) for sample in samples])

    def fresh() -> list[Image]:
        return [Image(f"{image.key}-{draw.integers(2**62)}", image.width, image.height, image.read) for image in seen]

    ask(seen)
    pairs = duel(lambda: ask(seen), lambda: ask(fresh()), rounds)
    variant, full = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratios = tuple(b / a for a, b in pairs)
    yield Row(
        "caption variant, image remembered / full pass; ratio full / variant", variant, full, ratios, at_least=5.0
    )


def network_size(adapter: EncoderAdapter) -> int:
    """Return the side of the images that the network reads, in pixels."""
    return albef_of(adapter).config.vision.image_size


def albef_of(adapter: EncoderAdapter) -> Albef:
    """Return the network of an adapter of ALBEF."""
    return cast(Albef, adapter.network)


def sample_of(image: Image, words: Sequence[str]) -> Sample:
    """Return a sample whose second word is hidden."""
    caption = " ".join(words)
    sample = Sample(image.key, image.key, image, caption, slots=(Slot(*words_of(caption)[1], "object"),))
    return sample.hiding(sample.slots[0])


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.models", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", choices=SIZES, default="published", help="tiny: a quick check that it runs")
    parser.add_argument("--part", choices=("all", "passes", "loading"), default="all", help="part to measure (all)")
    parser.add_argument("--rounds", type=positive, default=7, help="times that each side is timed (7)")
    parser.add_argument("--batch", type=positive, default=2, help="images, captions and requests in a batch (2)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{options.size} size, batch {options.batch}, {options.rounds} rounds; {machine()}")
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        report(options, Path(folder))


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def machine(threads: int = 1) -> str:
    """Return a description of this machine."""
    return (
        f"{os.cpu_count()} CPUs ({platform.machine()}), torch threads {threads}, load average {os.getloadavg()[0]:.1f} "
        f"at the start; Python {platform.python_version()}, torch {torch.__version__}, "
        f"transformers {transformers.__version__}"
    )


def report(options: argparse.Namespace, folder: Path) -> None:
    """Print each row once it is measured, then the notes."""
    files, notes = write_files(SIZES[options.size], folder), list[str]()
    print(HEADER)
    passes = () if options.part == "loading" else pass_rows(loaded(files[0]), options.batch, options.rounds)
    loads = () if options.part == "passes" else (load_rows(file, options.rounds, notes) for file in files)
    for row in itertools.chain(passes, *loads):
        print(row, flush=True)
    print(*notes, "All in processor time but the rows that say wall; files in the page cache.", sep="\n")


def pass_rows(adapter: EncoderAdapter, batch: int, rounds: int) -> Iterator[Row]:
    """Measure every pass of the network."""
    yield from vit_rows(albef_of(adapter), batch, rounds)
    yield from text_rows(albef_of(adapter), batch, rounds)
    yield from variant_rows(adapter, batch, rounds)


if __name__ == "__main__":
    main()
