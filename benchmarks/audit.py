"""What an audit costs beside its forward passes: `python -m benchmarks.audit [--limit N] [--rounds R]`.

One run prints: the whole audit over its distinct forward passes alone at the best batch size; distinct passes against
what the audits would run one by one; batched NMI against scikit-learn; peak memory at N and at 4N samples; the time
from typing the command to the first pass.

"The whole audit" goes from the end of collection to the last file: planning, drawing and changing images, passes,
measures, statistics, report. "Passes alone" answers the same requests, longest first, in batches of one size, the
fastest of those tried; reading their images is part of it. Both start with a freshly loaded model, in turn.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.models import machine, positive
from benchmarks.timing import Row, duel
from benchmarks.watch import Clock, Watch
from vlaudit import load
from vlaudit.execution.batches import in_order
from vlaudit.execution.plan import PlannedPass, plan
from vlaudit.measures import ModalityClusters, Reduction, Unit
from vlaudit.models.base import ForwardRequest, ModelAdapter
from vlaudit.samples import Sample
from vlaudit.traces import Hidden, Trace

ROOT = Path(__file__).resolve().parents[1]
SIZES = (4, 8, 16, 32, 64, 128)
TRIED = 512  # inputs, spread over the plan, on which batch sizes are tried
NMI_SAMPLES = 16
FEWER = 2.0
FLAT = 1.1
"""How much more memory four times the samples may take and still be called flat: rows and plans are kept."""


@dataclass(frozen=True)
class Subject:
    """What is audited, as it is typed."""

    model: str
    checkpoint: Path | None

    @property
    def typed(self) -> list[str]:
        """The arguments that name the model."""
        return ["--model", self.model, *(["--checkpoint", str(self.checkpoint)] if self.checkpoint else [])]

    def load(self) -> ModelAdapter:
        """Load it afresh: nothing is remembered from a pass before."""
        return load(self.model, checkpoint=self.checkpoint)


def audited(subject: Subject, limit: int) -> Watch:
    """Run the audits in this process, quietly."""
    watch = Watch()
    said = io.StringIO()
    quiet = contextlib.redirect_stdout(said), contextlib.redirect_stderr(said)
    with tempfile.TemporaryDirectory() as folder, quiet[0], quiet[1]:
        report = ["--audit-html", f"{folder}/report.html", "-p", "no:cacheprovider"]
        code = pytest.main([str(ROOT / "audits"), *subject.typed, "--limit", str(limit), *report], plugins=[watch])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise SystemExit(f"the audit ended with {code!r}:\n{said.getvalue()}")
    return watch


def planned_of(watch: Watch, model: ModelAdapter) -> list[PlannedPass]:
    """Return the distinct inputs of an audit that was watched, in the order in which they ran."""
    (designs,) = watch.run._designs.values()  # noqa: SLF001 (what was selected; nobody else asks)
    options = watch.run.options
    return in_order(plan(list(designs.values()), watch.run.samples(0), model, options.seed).inputs)


def passes(model: ModelAdapter, inputs: Sequence[PlannedPass], size: int) -> Clock:
    """Answer the requests in batches of one size, and keep nothing."""
    requests = [planned.request for planned in inputs]
    start = Clock()
    for first in range(0, len(requests), size):
        model.forward(requests[first : first + size])
    return Clock().since(start)


def best_size(subject: Subject, inputs: Sequence[PlannedPass]) -> int:
    """Return the batch size that answers a spread of the inputs fastest."""
    block = 128  # whole stretches of the order, so that neighbours share their images as they do in a run
    starts = np.linspace(0, max(len(inputs) - block, 0), max(min(TRIED, len(inputs)) // block, 1)).astype(int)
    spread = [one for start in starts for one in inputs[start : start + block]]
    return min(SIZES, key=lambda size: passes(subject.load(), spread, size).processor)


def cost_rows(subject: Subject, limit: int, rounds: int) -> Iterator[str]:
    """Compare the audit with its passes, and its passes with what each audit would run alone."""
    watch = audited(subject, limit)  # not counted: sprites are drawn once a process, modules imported
    inputs = planned_of(watch, subject.load())
    size = best_size(subject, inputs)
    pairs = []
    for _ in range(rounds):
        whole = audited(subject, limit)
        pairs.append((whole.took, passes(subject.load(), inputs, size)))
    for clock, aim in (("wall", 1.25), ("processor", None)):
        ours, theirs = zip(*((getattr(a, clock), getattr(b, clock)) for a, b in pairs), strict=True)
        ratios = tuple(a / b for a, b in zip(ours, theirs, strict=True))
        what = f"whole audit / {len(inputs)} passes alone in batches of {size}, {clock} time"
        yield str(Row(what, statistics.median(ours), statistics.median(theirs), ratios, at_most=aim))
    yield from saved_lines(watch, inputs)


def saved_lines(watch: Watch, inputs: Sequence[PlannedPass]) -> Iterator[str]:
    """Say what merging saves: against designs one by one, against tests one by one, and in images encoded."""
    wanted = Counter(consumer.design.id for planned in inputs for consumer in planned.consumers)
    by_test = sum(count * watch.tests[design] for design, count in wanted.items())
    designs = wanted.total() / len(inputs)
    met = "met" if designs >= FEWER else "MISSED"
    yield (
        f"{len(inputs)} distinct passes; designs one by one {wanted.total()}, {designs:.2f} times as many, aim "
        f"{FEWER:g} {met}; tests one by one {by_test}, {by_test / len(inputs):.2f} times"
    )
    images = {planned.request.sample.image.key for planned in inputs if planned.request.sample.image}
    yield f"{len(images)} distinct images are encoded for them, {len(inputs) / len(images):.2f} passes an image"


def nmi_row(subject: Subject, samples: Sequence[Sample], rounds: int) -> Row:
    """Compare the measure with one scikit-learn call a problem, over the same states and as many subsets."""
    model, readings = subject.load(), frozenset({Hidden("text"), Hidden("image")})
    traces = model.forward([ForwardRequest(sample, readings) for sample in samples])
    final = model.capabilities.architecture == "cross-attention"
    measure = ModalityClusters("final" if final else "each")
    batch = [Reduction(Unit(s.id, s), "own", s, t) for s, t in zip(samples, traces, strict=True)]
    name = "drift_full" if final else "nmi_full"

    def ours() -> list[list[float]]:
        return [numbers[name] for numbers in measure.reduce(batch)]

    def theirs() -> list[list[float]]:
        return [_curve(measure, trace, seed) for seed, trace in enumerate(traces)]

    apart = np.mean(np.abs(np.array(ours()) - np.array(theirs())))
    pairs = duel(ours, theirs, rounds)
    mine, other = (statistics.median(side) / len(batch) for side in zip(*pairs, strict=True))
    what = f"NMI a sample, ours / scikit-learn (apart {apart:.3f}); ratio theirs / ours"
    return Row(what, mine, other, tuple(b / a for a, b in pairs), at_least=30)


def _curve(measure: ModalityClusters, trace: Trace, seed: int) -> list[float]:
    """Compute all four curves of a trace, problem by problem; return the one with all tokens, normalised."""
    texts = trace[Hidden("text")][:, list(trace.text.text)].float()
    images = trace[Hidden("image")][:, list(trace.image.places if trace.image else ())].float()
    stages = len(texts) if measure.image == "final" else min(len(texts), len(images))
    paired = images[-1:].expand(stages, -1, -1) if measure.image == "final" else images[-stages:]
    return [_stage(measure, text, image, seed) for text, image in zip(texts[-stages:], paired, strict=True)]


def _stage(measure: ModalityClusters, text: Tensor, image: Tensor, seed: int) -> float:
    """Cluster one stage: raw and normalised, all tokens and each balanced subset; return all tokens, normalised."""
    raw, rng = torch.cat([text, image]), np.random.default_rng(seed)
    modality, size = np.repeat([0, 1], [len(text), len(image)]), min(len(text), len(image))
    found = 0.0
    for points in (raw.numpy(), torch.nn.functional.layer_norm(raw, raw.shape[-1:]).numpy()):
        for _ in range(measure.draws):
            kept = [rng.permutation(np.flatnonzero(modality == kind))[:size] for kind in (0, 1)]
            subset = np.concatenate(kept)
            _agreement(points[subset], modality[subset], measure.restarts)
        found = _agreement(points, modality, measure.restarts)
    return found


def _agreement(points: np.ndarray, modality: np.ndarray, restarts: int) -> float:
    from sklearn.cluster import KMeans  # noqa: PLC0415 (slow to import, and of the dev extra)
    from sklearn.metrics import normalized_mutual_info_score  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer distinct points than clusters is an answer here
        found = KMeans(2, n_init=restarts, random_state=0).fit_predict(points)
    return float(normalized_mutual_info_score(modality, found))


def peak(subject: Subject, limit: int) -> float:
    """Return the most memory (MB, resident) that this process ever held, once it has run the audit. Linux only."""
    audited(subject, limit)
    # not getrusage: its maximum outlives the exec that began this process, and would be that of the one before
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    if found is None:
        raise SystemExit("this system does not say how much memory a process held (VmHWM)")
    return int(found[1]) / 1024


def memory_line(subject: Subject, limit: int) -> str:
    """Compare the peaks of N and of 4N samples, each in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        few, many = pool.map(peak, [subject] * 2, [limit, 4 * limit])
    grown = many / few
    met = "met" if grown <= FLAT else "MISSED"
    return (
        f"peak memory: {few:.0f} MB at {limit} samples, {many:.0f} MB at {4 * limit}: {grown:.2f} times; "
        f"aim flat ({FLAT:g} or less) {met}"
    )


def cold_start(subject: Subject, rounds: int) -> str:
    """Return how long it takes from the command to the first pass."""
    command = [sys.executable, "-m", "pytest", "audits/", *subject.typed, "-s", "-p", "benchmarks.watch"]
    found = sorted(_first_pass(command) for _ in range(rounds))
    middle = statistics.median(found)
    met = "met" if middle < 10 else "MISSED"
    return (
        f"command to first pass, default --limit: {middle:.1f} s ({found[0]:.1f}-{found[-1]:.1f}); aim under 10 s {met}"
    )


def _first_pass(command: Sequence[str]) -> float:
    start = time.time()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 (our own)
    told = re.search(r"first pass at ([\d.]+)", done.stderr)
    if told is None:
        raise SystemExit(f"{' '.join(command)} came to no pass:\n{done.stdout}\n{done.stderr}")
    return float(told[1]) - start


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="albef", help="family to audit (albef)")
    parser.add_argument("--checkpoint", type=Path, help="its weights (default: the bundled ones)")
    parser.add_argument("--limit", type=positive, default=300, help="samples of the audit that is timed (300)")
    parser.add_argument("--memory", type=positive, default=100, help="N, where memory is compared at N and 4N (100)")
    parser.add_argument("--rounds", type=positive, default=3, help="times that each side is timed (3)")
    parser.add_argument("--threads", type=positive, default=torch.get_num_threads(), help="threads of torch (its own)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    subject = Subject(options.model, options.checkpoint.resolve() if options.checkpoint else None)
    print(f"{options.model}, {options.rounds} rounds; {machine(options.threads)}")
    print(cold_start(subject, options.rounds), flush=True)
    for line in cost_rows(subject, options.limit, options.rounds):
        print(line, flush=True)
    from vlaudit.datasets.scenes import Scenes  # noqa: PLC0415 (after the cold start is measured)

    print(nmi_row(subject, list(Scenes(0, limit=NMI_SAMPLES)), options.rounds), flush=True)
    print(memory_line(subject, options.memory), flush=True)


if __name__ == "__main__":
    main()
