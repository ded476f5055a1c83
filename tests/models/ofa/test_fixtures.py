"""The whole reference fixtures, where they are at hand.

PROMPT_ENSEMBLE_OFA_FIXTURES=../shared/ofa/fixtures pytest -m shared tests/captioners/ofa
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FIXTURES = Path(os.environ.get("PROMPT_ENSEMBLE_OFA_FIXTURES", "/nowhere"))
ADAPTER = Path(__file__).with_name("port_adapter.py")
LIGHT = "micro,search,gen,tokenizer,preprocess"


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.skipif(not FIXTURES.is_dir(), reason="PROMPT_ENSEMBLE_OFA_FIXTURES is no folder")
def test_every_light_fixture_is_met():
    command = [sys.executable, str(FIXTURES / "check_port.py"), str(ADAPTER), "--only", LIGHT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "FAIL" not in done.stdout
    assert "0 failures" in done.stdout
