import pytest
import small_def
from readme_lines import program

from gsrgnn import load_model


@pytest.mark.filterwarnings("ignore:simulated label")
def test_its_lines_run_one_after_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small_def.write(tmp_path, name="mine_route.def.gz")
    names = {}
    exec(program(), names)
    assert len(names["result"].history) == 4
    assert names["prediction"].shape == (600, 1)
    assert load_model("run.safetensors")(names["data"].x, names["graph"]).shape == (600, 1)
