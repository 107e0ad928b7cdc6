"""What can go wrong, as types: each error says the argument, the rule, what came, and what to do.

VlauditError
├── UsageError          an option or a setting that cannot be used as given
├── CheckpointError     a weights file that is not what it should be; nothing was loaded from it
├── VocabularyError     a vocabulary that is missing, or is not the checkpoint's
├── DataError           a data set that cannot be opened at all (a bad record is a refusal, counted, not an error)
├── RefusedSample       a sample that cannot be read, or on which a perturbation has no meaning; counted, never fatal
├── RequestError        a forward request that this model cannot answer (ask `refusal` first)
├── AnswerError         NaN or infinity in the answer of a model
└── AdapterError        a model adapter that does not keep what it declares (raised by `check_adapter`)
"""

import difflib
from collections.abc import Sequence


class VlauditError(Exception):
    """Base of every error that vlaudit raises on purpose; its text is written for the person at the keyboard."""


class UsageError(VlauditError, ValueError):
    """An option or a setting cannot be used as given."""


class CheckpointError(VlauditError):
    """A weights file is not what it should be; nothing was loaded from it."""


class VocabularyError(VlauditError):
    """A vocabulary is missing, or is not the one that the checkpoint was trained with."""


class DataError(VlauditError):
    """A data set cannot be opened at all."""


class RefusedSample(VlauditError):  # noqa: N818 - it is an outcome that is counted, not a mistake of the caller
    """One sample cannot be used as asked; whoever asks counts it with its reason and goes on."""

    def __init__(self, sample_id: str, reason: str) -> None:
        super().__init__(sample_id, reason)  # as arguments, so that it travels between processes
        self.sample_id = sample_id
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.sample_id}: {self.reason}"


class RequestError(VlauditError, ValueError):
    """A forward request cannot be answered by this model."""


class AnswerError(VlauditError, ArithmeticError):
    """A model answered with NaN or infinity."""


class AdapterError(VlauditError, AssertionError):
    """A model adapter does not keep what it declares."""


def nearest(name: str, known: Sequence[str]) -> str:
    """Return the end of a message about an unknown name: what may have been meant, or what there is.

    >>> nearest("cocoa", ("coco", "scenes"))
    ': did you mean coco?'
    """
    close = difflib.get_close_matches(name, known, n=3)
    return f": did you mean {' or '.join(close)}?" if close else f"; there are: {', '.join(known)}"
