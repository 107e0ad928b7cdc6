"""vlaudit: audit a vision-language checkpoint before it ships (`pytest audits/ --model albef`).

`audit` runs the audits without pytest, `load` loads a model, `adapter_checks` and `check_adapter` check an adapter of
one's own. `samples`, `traces`, `datasets`, `perturbations` and `models` are public too; importing this module does no
work.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from vlaudit.openmp import use_passive_wait

if TYPE_CHECKING:
    from vlaudit.auditing.api import audit
    from vlaudit.auditing.result import AuditResult
    from vlaudit.models.checks import adapter_checks, check_adapter
    from vlaudit.models.loading import load

# Imported when first used: reading a command line must not wait for torch.
_PUBLIC = {
    "AuditResult": "vlaudit.auditing.result",
    "adapter_checks": "vlaudit.models.checks",
    "audit": "vlaudit.auditing.api",
    "check_adapter": "vlaudit.models.checks",
    "load": "vlaudit.models.loading",
}

__all__ = ["AuditResult", "adapter_checks", "audit", "check_adapter", "load"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'vlaudit' has no attribute {name!r}")
    use_passive_wait()
    return getattr(importlib.import_module(_PUBLIC[name]), name)
