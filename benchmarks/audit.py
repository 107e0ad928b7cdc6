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
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.models import machine, positive
from benchmarks.timing import Row, duel
from benchmarks.watch import Clock, Watch
from vlaudit import load
from vlaudit.execution.batches import in_order
from vlaudit.execution.plan import Planned, plan
from vlaudit.measures import ModalityClusters, Reduction, Unit
from vlaudit.models.base import ForwardRequest, ModelAdapter
from vlaudit.samples import Sample
from vlaudit.traces import Hidden

ROOT = Path(__file__).resolve().parents[1]
SIZES = (4, 8, 16, 32, 64, 128)
TRIED = 512  # inputs, spread over the plan, on which batch sizes are tried
NMI_SAMPLES = 16


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
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()) as said:
        report = ["--html", f"{folder}/report.html", "-p", "no:cacheprovider"]
        code = pytest.main([str(ROOT / "audits"), *subject.typed, "--limit", str(limit), *report], plugins=[watch])
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise SystemExit(f"the audit ended with {code!r}:\n{said.getvalue()}")
    return watch


def planned_of(watch: Watch, model: ModelAdapter) -> list[Planned]:
    """Return the distinct inputs of an audit that was watched, in the order in which they ran."""
    (designs,) = watch.run._designs.values()  # noqa: SLF001 (what was selected; nobody else asks)
    options = watch.run.options
    return in_order(plan(list(designs.values()), watch.run.samples(0), model, options.seed).inputs)


def passes(model: ModelAdapter, inputs: Sequence[Planned], size: int) -> Clock:
    """Answer the requests in batches of one size, and keep nothing."""
    requests = [planned.request for planned in inputs]
    start = Clock()
    for first in range(0, len(requests), size):
        model.forward(requests[first : first + size])
    return Clock().since(start)


def best_size(subject: Subject, inputs: Sequence[Planned]) -> int:
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
    (measured,) = watch.run.passes(subject.model)
    fewer = measured.asked / measured.passes
    yield (
        f"passes, {limit} samples: {measured.asked} one audit at a time, {measured.passes} distinct: {fewer:.2f} times "
        f"fewer; aim 2 {'met' if fewer >= 2 else 'MISSED'}"
    )


def nmi_row(subject: Subject, samples: Sequence[Sample], rounds: int) -> Row:
    """Compare the measure with one scikit-learn call a problem, over the same states, subsets and restarts."""
    model, readings = subject.load(), frozenset({Hidden("text"), Hidden("image")})
    traces = model.forward([ForwardRequest(sample, readings) for sample in samples])
    measure = ModalityClusters("final" if model.capabilities.architecture == "cross-attention" else "each")
    batch = [Reduction(Unit(s.id, s), "own", s, t) for s, t in zip(samples, traces, strict=True)]
    apart = np.mean(np.abs(np.array(_ours(measure, batch)) - np.array(_theirs(measure, batch))))
    pairs = duel(lambda: measure.reduce(batch), lambda: _theirs(measure, batch), rounds)
    ours, theirs = (statistics.median(side) / len(batch) for side in zip(*pairs, strict=True))
    what = f"NMI a sample: scikit-learn / ours (mean difference {apart:.3f})"
    return Row(what, ours, theirs, tuple(b / a for a, b in pairs), at_least=30)


def _ours(measure: ModalityClusters, batch: Sequence[Reduction]) -> list[list[float]]:
    name = measure._name  # noqa: SLF001 (the same quantity is computed here by other means)
    return [numbers[f"{name}_full"] for numbers in measure.reduce(batch)]


def _theirs(measure: ModalityClusters, batch: Sequence[Reduction]) -> list[list[float]]:
    """Compute all four curves of each sample, problem by problem; return the one with all tokens, normalised."""
    return [_curves(measure, reduction) for reduction in batch]


def _curves(measure: ModalityClusters, reduction: Reduction) -> list[float]:
    states = measure._tokens(reduction)  # noqa: SLF001 (as above)
    subsets = measure._chances(reduction.unit, states).subsets  # noqa: SLF001
    modality = np.repeat([0, 1], [states.text.shape[1], states.image.shape[1]])
    full = []
    for text, image in zip(states.text, states.image, strict=True):
        raw = torch.cat([text, image]).float()
        for points in (raw, torch.nn.functional.layer_norm(raw, raw.shape[-1:])):
            for subset in subsets:
                _agreement(points.numpy()[subset], modality[subset], measure.restarts)
            found = _agreement(points.numpy(), modality, measure.restarts)
        full.append(found)
    return full


def _agreement(points: np.ndarray, modality: np.ndarray, restarts: int) -> float:
    from sklearn.cluster import KMeans  # noqa: PLC0415 (slow to import, and of the dev extra)
    from sklearn.metrics import normalized_mutual_info_score  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer distinct points than clusters is an answer here
        found = KMeans(2, n_init=restarts, random_state=0).fit_predict(points)
    return float(normalized_mutual_info_score(modality, found))


def peak(subject: Subject, limit: int) -> float:
    """Return the most memory (MB, resident) that a process held that ran the audit."""
    import resource  # noqa: PLC0415 (POSIX only)

    audited(subject, limit)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


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


FLAT = 1.1
"""How much more memory four times the samples may take and still be called flat: rows and plans are kept."""


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
