"""vlaudit: audit a vision-language checkpoint before it ships (`pytest audits/ --model albef`).

`load` gets a model, `check_adapter` holds an adapter of one's own to the boundary that every audit relies on. The rooms
below (`samples`, `traces`, `datasets`, `perturbations`, `models`) are public too; importing this module does no work.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from vlaudit.openmp import use_passive_wait

if TYPE_CHECKING:
    from vlaudit.models.check import check_adapter
    from vlaudit.models.loading import load

# Imported when first used: reading a command line must not wait for torch.
_PUBLIC = {"check_adapter": "vlaudit.models.check", "load": "vlaudit.models.loading"}

__all__ = ["check_adapter", "load"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'vlaudit' has no attribute {name!r}")
    use_passive_wait()
    return getattr(importlib.import_module(_PUBLIC[name]), name)
