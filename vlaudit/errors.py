"""What can go wrong, as types: each error says the argument, the rule, what came, and what to do.

VlauditError
├── UsageError          an option or a setting that cannot be used as given
├── CheckpointError     a weights file that is not what it should be; nothing was loaded from it
├── VocabularyError     a vocabulary that is missing, or is not the checkpoint's
├── DataError           a data set that cannot be opened at all (a bad record is a refusal, counted, not an error)
├── RequestError        a forward request that this model cannot answer (ask `refusal` first)
└── AdapterError        a model adapter that does not keep what it declares (raised by `check_adapter`)
"""


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


class RequestError(VlauditError, ValueError):
    """A forward request cannot be answered by this model."""


class AdapterError(VlauditError, AssertionError):
    """A model adapter does not keep what it declares."""
