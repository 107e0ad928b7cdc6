"""Exception types. Every message names the argument or file, the rule, what was found, and what to do.

VlauditError
├── UsageError          an option or setting has an invalid value
├── CheckpointError     a weights file is invalid or does not match the model; nothing is loaded from it
├── VocabularyError     a vocabulary is missing or does not match the checkpoint
├── DataError           a data set cannot be opened (an invalid record is refused and counted instead)
├── RefusedSample       a sample is unreadable, or a perturbation is undefined for it; counted, never fatal
├── RequestError        a model cannot answer a forward request (`ModelAdapter.refusal` returns the reason in advance)
├── MeasuringError      an exception of a model, perturbation or measure during the run
├── AnswerError         the outputs of a model contain NaN or infinity
└── AdapterError        a model adapter violates its declared contract (raised by `check_adapter`)
"""

import difflib
from collections.abc import Sequence


class VlauditError(Exception):
    """Base class of all errors that vlaudit raises deliberately; messages are written for the user."""


class UsageError(VlauditError, ValueError):
    """An option or setting has an invalid value."""


class CheckpointError(VlauditError):
    """A weights file is invalid or does not match the model; nothing is loaded from it."""


class VocabularyError(VlauditError):
    """A vocabulary is missing or is not the one that the checkpoint was trained with."""


class DataError(VlauditError):
    """A data set or feature file cannot be opened, or a table lacks what is required of it."""


class RefusedSample(VlauditError):  # noqa: N818 - an outcome that is counted, not an error of the caller
    """A sample is unreadable, or an operation is undefined for it; callers count it with its reason and continue."""

    def __init__(self, sample_id: str, reason: str) -> None:
        super().__init__(sample_id, reason)  # both as arguments, so that the exception can be pickled
        self.sample_id = sample_id
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.sample_id}: {self.reason}"


class RequestError(VlauditError, ValueError):
    """A model cannot answer a forward request, or a trace does not contain a reading."""


class MeasuringError(VlauditError, RuntimeError):
    """A model, perturbation or measure raised an exception during the run."""


class AnswerError(VlauditError, ArithmeticError):
    """The outputs of a model contain NaN or infinity."""


class AdapterError(VlauditError, AssertionError):
    """A model adapter violates its declared contract."""


def nearest(name: str, known: Sequence[str]) -> str:
    """Return the end of an error message about an unknown name: similar names, or else all known names.

    >>> nearest("cocoa", ("coco", "scenes"))
    ': did you mean coco?'
    """
    close = difflib.get_close_matches(name, known, n=3)
    return f": did you mean {' or '.join(close)}?" if close else f"; available: {', '.join(known)}"
