"""Audits of a region model with random weights on annotated captions and a feature file."""

import importlib

import annotated_folders as folders
import pytest
import torch

from vlaudit import datasets
from vlaudit.datasets.choices import PHOTO_CHOICES
from vlaudit.execution.plan import plan
from vlaudit.execution.run import run
from vlaudit.models.base import ForwardRequest
from vlaudit.models.checkpoint import KeyReport
from vlaudit.models.provenance import Provenance
from vlaudit.models.regional.adapter import RegionAdapter
from vlaudit.models.uniter.config import UniterConfig
from vlaudit.models.uniter.network import Uniter
from vlaudit.models.vocabulary import find_vocabulary
from vlaudit.traces import Match

WORDS = tuple(
    "a dog cat bus boat car man sits waits near the red on grass horse bird ball . woman".split()  # noqa: SIM905 (read as a list)
)
PAIRS = [("dog", "bus"), ("cat", "boat"), ("horse", "car"), ("bird", "ball"), ("man", "woman"), ("dog", "boat")]


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    """Write six images, each of two things, whose features are 5 numbers a region, and no photo of any."""
    folder = tmp_path_factory.mktemp("entities")
    found = {}
    for number, (one, other) in enumerate(PAIRS):
        stem = str(1000 + number)
        lines = [f"[/EN#1/other A {one}] waits near [/EN#2/other a red {other}] .", "The grass sits on the grass ."]
        objects = [folders.boxed((1, 1, 15, 20), "1"), folders.boxed((21, 5, 40, 28), "2")]
        folders.entities(folder, stem, lines, objects, with_photo=False)
        found[stem] = (40, 30), [(0, 0, 15, 20), (20, 4, 40, 28), (5, 20, 12, 29)]
    features = folders.features(folder / "found.tsv", found)
    return f"flickr30k-entities:{folder},features={features}"


@pytest.fixture(scope="module")
def uniter(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    choices = [word for words in PHOTO_CHOICES.values() for word in words]
    lines = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys([*WORDS, *choices])]
    (folder / "vocab.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    vocabulary = find_vocabulary(None, tokenizer=str(folder), published="none", rows=len(lines))
    torch.manual_seed(0)
    network = Uniter(UniterConfig(len(lines), 16, 2, 2, 24, region_width=5, classes=4, max_positions=30))
    network.initialise(std=0.3)
    provenance = Provenance("uniter", None, "0" * 64, KeyReport(()), "small", "test")
    return RegionAdapter("uniter", network, vocabulary, lambda: provenance)


def test_the_model_reads_the_detectors_regions(spec, uniter):
    data = datasets.open(spec)
    samples = list(data)
    assert len(samples) == 2 * len(PAIRS)
    assert {len(sample.regions) for sample in samples} == {3}
    assert "12 of 12" in data.describe()
    traces = uniter.forward([ForwardRequest(sample, frozenset({Match()})) for sample in samples])
    assert all(len(trace.image) == 3 for trace in traces)


def test_links_and_fusion_are_measured_without_a_photo(spec, uniter):
    samples = list(datasets.open(spec))
    for finding, design, columns in (
        ("coref_heads", lambda audit: audit.LINKS["text_image"], {"text_image.linked", "text_image.random"}),
        ("fusion_trend", lambda audit: audit.TREND, {"nmi"}),
        ("text_dominance", lambda audit: audit.IMPORTANCE, {"image_share"}),
    ):
        chosen = design(importlib.import_module(f"audits.test_{finding}"))
        table = run(plan([chosen], samples, uniter, 0), uniter, batch_size=8).tables[chosen.id]
        assert len(table) >= len(PAIRS)
        assert columns <= set(table.frame.columns)


def test_perturbations_of_pixels_are_refused_without_photos(spec, uniter):
    """Covering zeroes the features; mirroring and grayscale have no corresponding features."""
    samples = list(datasets.open(spec))
    words = importlib.import_module("audits.test_text_dominance").MATCH
    covered = run(plan([words], samples, uniter, 0), uniter, batch_size=8).tables[words.id]
    assert "match.covered.p" in covered.frame.columns
    assert (covered["match.covered.p"] != covered["match.shown.p"]).any()
    gray = importlib.import_module("audits.test_color_bias")
    for design in (gray.OBJECTS, gray.COLORED):
        table = run(plan([design], samples, uniter, 0), uniter, batch_size=8).tables[design.id]
        assert not len(table)
        assert table.planned == sum(table.refused.values())
        assert any("comes without an encoder" in reason for reason in table.refused), table.refused
