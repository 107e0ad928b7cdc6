"""Check the numbers of every trace once, where it enters: NaN or infinity never becomes a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Bool
from torch import Tensor

from vlaudit.errors import AnswerError
from vlaudit.execution.plan import PlannedPass
from vlaudit.traces import Reading, Trace, Words


def check_numbers(batch: Sequence[PlannedPass], traces: Sequence[Trace]) -> None:
    """Raise `AnswerError`, naming reading and sample, where an answer holds NaN or infinity; one transfer per batch.

    The log-probability of a word may be minus infinity, but not that of all its candidates.
    """
    answers = [
        (planned, reading, answer)
        for planned, trace in zip(batch, traces, strict=True)
        for reading, answer in trace.arrays.items()
    ]
    if not answers:
        return
    valid = torch.stack([_valid(reading, answer) for _, reading, answer in answers]).cpu()
    for (planned, reading, answer), fine in zip(answers, valid.tolist(), strict=True):
        if not fine:
            raise AnswerError(
                f"sample {planned.request.sample.id}: the model's answers must be numbers, but {reading!r} holds "
                f"{' and '.join(_found(answer))}; no verdict can be based on it. Check the weights and --dtype"
            )


def _valid(reading: Reading, answer: Tensor) -> Bool[Tensor, ""]:
    if isinstance(reading, Words) and answer.numel():
        return (~answer.isnan() & (answer != torch.inf)).all() & (answer != -torch.inf).any(-1).all()
    return answer.isfinite().all()


def _found(answer: Tensor) -> Iterator[str]:
    counts = {"NaN": answer.isnan(), "+infinity": answer == torch.inf, "-infinity": answer == -torch.inf}
    for name, where in counts.items():
        if count := int(where.sum()):
            yield f"{name} in {count} of {answer.numel()} values"
