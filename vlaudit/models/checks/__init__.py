"""Checks of a model adapter, one per promise of `vlaudit.models.base.ModelAdapter`."""

from vlaudit.models.checks.suite import AdapterCheck, CheckResult, adapter_checks, check_adapter

__all__ = ["AdapterCheck", "CheckResult", "adapter_checks", "check_adapter"]
