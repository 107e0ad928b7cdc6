"""Find the parity cases, and report their largest differences from the official outputs at the end of a run."""

from collections import defaultdict

import pytest
from parity.cases import find_cases, goldens_folder

collect_ignore = ["parity"]  # helpers of test_parity.py, no tests


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session):
    """Refuse a folder without a case before anything is collected."""
    given, folder = session.config.getoption("--goldens"), goldens_folder(session.config)
    if given is not None and not find_cases(folder):
        raise pytest.UsageError(
            f"--goldens {given}: a parity case is a folder that holds checkpoint.pth, and there is none at "
            f"or below {folder}; name the folder of a case, or one above it"
        )


def pytest_terminal_summary(terminalreporter):
    """Print one line for each family: cases, tensors compared, and the largest difference."""
    compared = defaultdict(list)
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            found = dict(getattr(report, "user_properties", ())).get("parity")
            if found and report.when == "call":
                compared[found["family"], found["device"]].append(found | {"failed": outcome == "failed"})
    for (family, device), rows in sorted(compared.items()):
        terminalreporter.write_line(_summary(family, device, rows))


def _summary(family, device, rows):
    cases = len({row["case"] for row in rows})
    differences = [row["difference"] for row in rows if row["difference"] is not None]
    largest = f"{max(differences):.2g}" if differences else "none measured"
    failed = sum(row["failed"] for row in rows)
    return (
        f"parity {family}{'' if device == 'cpu' else f' on {device}'}: {cases} case{'s' * (cases != 1)}, "
        f"{len(rows)} tensors, largest difference {largest} (tolerance {rows[0]['tolerance']:g})"
        + (f", {failed} FAILED" if failed else "")
    )
