"""Before its first pass an audit imports only what it needs, and idle threads of torch sleep."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vlaudit.openmp import use_passive_wait

ROOT = Path(__file__).parents[1]
SLOW = (
    "hypothesis",
    "matplotlib",
    "scipy.stats",
    "sympy",
    "transformers",
    "torch._dynamo",
    "sklearn",
    "huggingface_hub",
)
PROBE = f"""
import json, os, sys
import pytest

@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session):
    from vlaudit.models.streams.adapter import EncoderAdapter

    forward = EncoderAdapter.forward

    def first(self, requests):
        forward(self, requests)
        loaded = [name for name in {SLOW!r} if name in sys.modules]
        os.write(2, json.dumps({{"loaded": loaded, "policy": os.environ["OMP_WAIT_POLICY"]}}).encode())
        os._exit(0)

    EncoderAdapter.forward = first
"""


def first_pass(folder, **variables):
    (folder / "probe.py").write_text(PROBE)
    paths = os.pathsep.join([str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")])
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_WAIT", "GOMP", "KMP"))}
    command = [sys.executable, "-m", "pytest", "audits", "--model", "albef", "--limit", "3", "-s", "-p", "probe"]
    command += ["-p", "no:cacheprovider", "--html", str(folder / "report.html")]
    environment = inherited | {"PYTHONPATH": paths} | variables
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    return json.loads(done.stderr.splitlines()[-1])


def test_nothing_slow_is_imported_and_threads_sleep_while_they_wait(tmp_path):
    assert first_pass(tmp_path) == {"loaded": [], "policy": "PASSIVE"}


@pytest.fixture
def before_torch(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"):
        monkeypatch.setenv(name, "")  # restored afterwards
        monkeypatch.delenv(name)
    return monkeypatch


def test_the_wait_policy_is_passive(before_torch):
    use_passive_wait()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    assert int(os.environ["GOMP_SPINCOUNT"]) < 300_000


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"])
def test_a_setting_of_the_user_stays_alone(before_torch, name):
    before_torch.setenv(name, "7")
    before = dict(os.environ)
    use_passive_wait()
    assert dict(os.environ) == before


def test_nothing_is_set_where_torch_runs_already(before_torch):
    before_torch.setitem(sys.modules, "torch", object())
    before = dict(os.environ)
    use_passive_wait()
    assert dict(os.environ) == before


def test_importing_vlaudit_sets_nothing():
    code = "import os; before = dict(os.environ); import vlaudit, vlaudit.plugin; print(before == dict(os.environ))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
