"""Whatever a user or a broken disk brings, a command ends in one line."""

import pytest
from hostile_inputs import CASES, met


@pytest.mark.parametrize("name", CASES)
def test_every_hostile_input_ends_in_one_line(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, lines = met(CASES[name], tmp_path)
    assert code == 1
    (line,) = [line for line in lines if line.startswith("error: ")]
    assert "Traceback" not in line
    assert not (tmp_path / "it-ran").exists()
