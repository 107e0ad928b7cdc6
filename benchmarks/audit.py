"""Cost of an audit in addition to its forward passes: `python -m benchmarks.audit [--part P] [--limit N] [--rounds R]`.

Parts: `start`, seconds from the command to the first pass; `cost`, the whole audit over its distinct forward passes
alone at the best batch size, and the passes that merging saves; `busy`, the command next to four busy processes over
the command alone; `nmi`, batched NMI against scikit-learn; `memory`, peak memory at N and at 4N samples.

"The whole audit" lasts from the end of collection to the last file: planning, drawing and changing images, passes,
measures, statistics, report. "Passes alone" answers the same requests in the same order, in batches of one size, the
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
from vlaudit.datasets.scenes import Scenes
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
"""Largest ratio of peak memory at four times the samples that counts as flat: rows and plans are kept."""
OVERHEAD = 1.2
"""Largest ratio of the processor time of an audit to that of its passes alone."""
START = 5.0
"""Most seconds from the command to the first pass."""
BUSY, SLOWER = 4, 4.0
"""Number of busy processes next to the audit, and the largest factor by which they may slow it down."""
PARTS = ("start", "cost", "busy", "nmi", "memory")


@dataclass(frozen=True)
class Subject:
    """The model that is audited."""

    model: str
    checkpoint: Path | None

    @property
    def arguments(self) -> list[str]:
        """The arguments of the command that name the model."""
        return ["--model", self.model, *(["--checkpoint", str(self.checkpoint)] if self.checkpoint else [])]

    def load(self) -> ModelAdapter:
        """Load the model anew, with empty caches."""
        return load(self.model, checkpoint=self.checkpoint)


def audited(subject: Subject, limit: int) -> Watch:
    """Run the audits in this process, quietly."""
    watch = Watch()
    output = io.StringIO()
    quiet = contextlib.redirect_stdout(output), contextlib.redirect_stderr(output)
    with tempfile.TemporaryDirectory() as folder, quiet[0], quiet[1]:
        report = ["--audit-html", f"{folder}/report.html", "-p", "no:cacheprovider"]
        code = pytest.main([str(ROOT / "audits"), *subject.arguments, "--limit", str(limit), *report], plugins=[watch])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise SystemExit(f"the audit ended with {code!r}:\n{output.getvalue()}")
    return watch


def planned_of(watch: Watch, model: ModelAdapter) -> list[PlannedPass]:
    """Return the distinct inputs of an audit that was watched, in the order in which they ran."""
    (designs,) = watch.run._designs.values()  # noqa: SLF001 (no public name is needed elsewhere)
    options = watch.run.options
    return in_order(plan(list(designs.values()), watch.run.samples(0), model, options.seed).inputs)


def passes(model: ModelAdapter, inputs: Sequence[PlannedPass], size: int) -> Clock:
    """Time the requests in batches of one size; traces are dropped."""
    requests = [planned.request for planned in inputs]
    start = Clock()
    for first in range(0, len(requests), size):
        model.forward(requests[first : first + size])
    return Clock().since(start)


def best_size(subject: Subject, inputs: Sequence[PlannedPass]) -> int:
    """Return the batch size that answers a spread of the inputs fastest."""
    block = 128  # consecutive inputs, so that neighbours share their images as in a run
    starts = np.linspace(0, max(len(inputs) - block, 0), max(min(TRIED, len(inputs)) // block, 1)).astype(int)
    spread = [one for start in starts for one in inputs[start : start + block]]
    return min(SIZES, key=lambda size: passes(subject.load(), spread, size).processor)


def cost_rows(subject: Subject, limit: int, rounds: int) -> Iterator[str]:
    """Compare the audit with its passes, and its passes with those that each design would run alone."""
    watch = audited(subject, limit)  # not timed: it imports modules and draws the sprites that a process keeps
    inputs = planned_of(watch, subject.load())
    size = best_size(subject, inputs)
    pairs = []
    for _ in range(rounds):
        whole = audited(subject, limit)
        pairs.append((whole.took, passes(subject.load(), inputs, size)))
    for clock, aim in (("wall", None), ("processor", OVERHEAD)):
        ours, theirs = zip(*((getattr(a, clock), getattr(b, clock)) for a, b in pairs), strict=True)
        ratios = tuple(a / b for a, b in zip(ours, theirs, strict=True))
        what = f"whole audit / {len(inputs)} passes alone in batches of {size}, {clock} time"
        yield str(Row(what, statistics.median(ours), statistics.median(theirs), ratios, at_most=aim))
    yield from saved_lines(watch, inputs)


def saved_lines(watch: Watch, inputs: Sequence[PlannedPass]) -> Iterator[str]:
    """State the passes that merging saves, against designs and tests one by one, and the images encoded."""
    wanted = Counter(consumer.design.id for planned in inputs for consumer in planned.consumers)
    by_test = sum(count * watch.tests[design] for design, count in wanted.items())
    designs = wanted.total() / len(inputs)
    met = "met" if designs >= FEWER else "MISSED"
    yield (
        f"{len(inputs)} distinct passes; designs one by one {wanted.total()}, {designs:.2f} times as many, aim "
        f"{FEWER:g} {met}; tests one by one {by_test}, {by_test / len(inputs):.2f} times"
    )
    images = {planned.request.sample.image.key for planned in inputs if planned.request.sample.image}
    yield f"{len(images)} distinct images, {len(inputs) / len(images):.2f} passes per image"


def nmi_row(subject: Subject, samples: Sequence[Sample], rounds: int) -> Row:
    """Compare the measure with one scikit-learn call per problem, over the same states and as many subsets."""
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
    what = f"NMI per sample, ours / scikit-learn (difference {apart:.3f}); ratio theirs / ours"
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
    """Run the audit and return the peak resident memory of this process in MB. Linux only."""
    audited(subject, limit)
    # not getrusage: its maximum survives exec and would be that of the parent process
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    if found is None:
        raise SystemExit("/proc/self/status: VmHWM is needed for peak memory, and this system has none")
    return int(found[1]) / 1024


def memory_line(subject: Subject, limit: int) -> str:
    """Compare peak memory at N and at 4N samples, each in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        few, many = pool.map(peak, [subject] * 2, [limit, 4 * limit])
    grown = many / few
    met = "met" if grown <= FLAT else "MISSED"
    return (
        f"peak memory: {few:.0f} MB at {limit} samples, {many:.0f} MB at {4 * limit}: {grown:.2f} times; "
        f"aim flat ({FLAT:g} or less) {met}"
    )


def start_line(subject: Subject, rounds: int) -> str:
    """Return the seconds from the command to the first pass."""
    command = [sys.executable, "-m", "pytest", "audits/", *subject.arguments, "-s", "-p", "benchmarks.watch"]
    found = sorted(_first_pass(command) for _ in range(rounds))
    middle = statistics.median(found)
    met = "met" if middle < START else "MISSED"
    return (
        f"seconds from command to first pass, default --limit: {middle:.1f} ({found[0]:.1f}-{found[-1]:.1f}); "
        f"aim under {START:g} {met}"
    )


def _first_pass(command: Sequence[str]) -> float:
    start = time.time()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 (our own)
    printed = re.search(r"first pass at ([\d.]+)", done.stderr)
    if printed is None:
        raise SystemExit(f"{' '.join(command)} ended before its first pass:\n{done.stdout}\n{done.stderr}")
    return float(printed[1]) - start


def busy_line(subject: Subject, limit: int, rounds: int) -> str:
    """Compare the command next to busy processes with the command alone, in turn."""
    alone, busy = zip(*((_wall(subject, limit, 0), _wall(subject, limit, BUSY)) for _ in range(rounds)), strict=True)
    ratios = sorted(b / a for a, b in zip(alone, busy, strict=True))
    met = "met" if statistics.median(ratios) < SLOWER else "MISSED"
    return (
        f"command next to {BUSY} busy processes / alone, {limit} samples: {statistics.median(busy):.1f} s, "
        f"{statistics.median(alone):.1f} s, {statistics.median(ratios):.2f} times ({ratios[0]:.2f}-{ratios[-1]:.2f}); "
        f"aim under {SLOWER:g} {met}"
    )


def _wall(subject: Subject, limit: int, processes: int) -> float:
    """Return the seconds of the command next to this many processes that never wait."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "pytest", "audits/", *subject.arguments, "--limit", str(limit)]
            command += ["--html", f"{folder}/report.html", "-p", "no:cacheprovider"]
            start = time.perf_counter()
            subprocess.run(command, cwd=ROOT, capture_output=True, check=False)  # noqa: S603 (our own)
            return time.perf_counter() - start
    finally:
        for other in others:
            other.kill()
            other.wait()


def lines(options: argparse.Namespace, subject: Subject) -> Iterator[object]:
    """Measure the parts that were chosen."""
    parts = PARTS if options.part == "all" else (options.part,)
    if "start" in parts:
        yield start_line(subject, options.rounds)
    if "cost" in parts:
        yield from cost_rows(subject, options.limit, options.rounds)
    if "busy" in parts:
        yield busy_line(subject, options.limit, options.rounds)
    if "nmi" in parts:
        yield nmi_row(subject, list(Scenes(0, limit=NMI_SAMPLES)), options.rounds)
    if "memory" in parts:
        yield memory_line(subject, options.memory)


def main() -> None:
    """Measure and print, part by part."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--part", choices=("all", *PARTS), default="all", help="part to measure (all)")
    parser.add_argument("--model", default="albef", help="family to audit (albef)")
    parser.add_argument("--checkpoint", type=Path, help="its weights (default: the bundled ones)")
    parser.add_argument("--limit", type=positive, default=300, help="samples of the audit that is timed (300)")
    parser.add_argument("--memory", type=positive, default=100, help="N, where memory is compared at N and 4N (100)")
    parser.add_argument("--rounds", type=positive, default=3, help="number of timings per side (3)")
    parser.add_argument("--threads", type=positive, default=torch.get_num_threads(), help="threads of torch (its own)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    subject = Subject(options.model, options.checkpoint.resolve() if options.checkpoint else None)
    print(f"{options.model}, {options.rounds} rounds; {machine(options.threads)}")
    for line in lines(options, subject):
        print(line, flush=True)


if __name__ == "__main__":
    main()
