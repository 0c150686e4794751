import gzip
import hashlib
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gsrgnn.circuits import fetch as module
from gsrgnn.circuits.fetch import FetchFailed, fetch

FILES = {"LICENSE": b"as is", "demo/a/one.npy": b"1" * 100_000, "demo/two.npy": b"2" * 300}


@pytest.fixture
def server():
    """A server of FILES at `server.url`; `server.answers[path]` is a function of its own for the answer there."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.removeprefix("/commit/")
            served.asked.append(path)
            if path in served.answers:
                served.answers[path](self)
            else:
                send(self, FILES[path])

        def log_message(self, *args):
            pass

    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.daemon_threads, served.block_on_close = True, False
    served.url = f"http://127.0.0.1:{served.server_address[1]}/commit"
    served.asked, served.answers, served.released = [], {}, threading.Event()
    threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True).start()
    yield served
    served.released.set()
    served.shutdown()
    served.server_close()


def send(handler, content, length=None, code=200):
    handler.send_response(code)
    handler.send_header("Content-Length", length or len(content))
    handler.end_headers()
    handler.wfile.write(content)


@pytest.fixture
def manifest(server, tmp_path, monkeypatch):
    files = {
        path: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for path, content in FILES.items()
    }
    path = tmp_path / "small.json"
    path.write_text(
        json.dumps(
            {
                "url": server.url,
                "commit": "c" * 40,
                "variable": "SMALL_ROOT",
                "folder": "demo/",
                "files": files,
            }
        )
    )
    monkeypatch.setattr(module, "MANIFESTS", {"small": path})
    return path


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


def found(root):
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()} - {".small.lock"}


def test_every_file_comes_to_its_place_once(manifest, server, root):
    said = []
    assert fetch("small", root, say=said.append) == root
    assert {name: (root / name).read_bytes() for name in ("LICENSE", "a/one.npy", "two.npy")} == {
        "LICENSE": FILES["LICENSE"],
        "a/one.npy": FILES["demo/a/one.npy"],
        "two.npy": FILES["demo/two.npy"],
    }
    assert found(root) == {"LICENSE", "a/one.npy", "two.npy"}
    assert said[0] == f"fetching 3 files, 0.1 MB, from {server.url}"
    asked = len(server.asked)
    fetch("small", root, say=said.append)
    assert len(server.asked) == asked == 3


def test_a_file_that_differs_is_fetched_again_and_only_that_one(manifest, server, root):
    fetch("small", root)
    (root / "two.npy").write_bytes(b"3" * 300)
    fetch("small", root)
    assert server.asked[3:] == ["demo/two.npy"]
    assert (root / "two.npy").read_bytes() == FILES["demo/two.npy"]


BROKEN = {
    "another content": (lambda handler: send(handler, b"2" * 299 + b"3"), "not the file published.*hash"),
    "too short": (lambda handler: send(handler, b"2" * 299), "not the file published"),
    "broken off": (lambda handler: send(handler, b"2" * 10, length=300), "broke off"),
    "endless": (lambda handler: send(handler, b"2" * 10_000_000), "longer than the one published"),
    "missing": (lambda handler: send(handler, b"", code=404), "answers 404"),
    "server error": (lambda handler: send(handler, b"", code=503), "answers 503"),
    "silence": (lambda handler: handler.connection.close(), "no connection, or it broke off"),
}


@pytest.mark.parametrize(("answer", "message"), BROKEN.values(), ids=BROKEN)
def test_what_goes_wrong_leaves_no_partial_file_and_can_be_resumed(manifest, server, root, answer, message):
    server.answers["demo/two.npy"] = answer
    with pytest.raises(FetchFailed, match=rf"two\.npy.*{message}.*run the same command again"):
        fetch("small", root)
    assert found(root) == {"LICENSE", "a/one.npy"}
    del server.answers["demo/two.npy"]
    fetch("small", root)
    assert found(root) == {"LICENSE", "a/one.npy", "two.npy"}
    assert len(server.asked) == 4


def test_an_answer_packed_small_is_bounded_when_unpacked(manifest, server, root):
    def bomb(handler):
        content = gzip.compress(bytes(10_000_000))
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", len(content))
        handler.end_headers()
        handler.wfile.write(content)

    server.answers["demo/two.npy"] = bomb
    with pytest.raises(FetchFailed, match="longer than the one published"):
        fetch("small", root)


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd"])
def test_an_answer_packed_without_a_bound_is_not_unpacked(manifest, server, root, encoding):
    def packed(handler):
        handler.send_response(200)
        handler.send_header("Content-Encoding", encoding)
        handler.send_header("Content-Length", 3)
        handler.end_headers()
        handler.wfile.write(b"abc")

    server.answers["demo/two.npy"] = packed
    with pytest.raises(FetchFailed, match=f"two.npy: it is not the file published .it comes packed as '{encoding}'"):
        fetch("small", root)


def test_offline(manifest, server, root):
    server.shutdown()
    server.server_close()
    with pytest.raises(FetchFailed, match="no connection.*check the network.*run the same command again"):
        fetch("small", root)
    assert found(root) == set()


def test_a_server_that_stalls(manifest, server, root, monkeypatch):
    monkeypatch.setattr(module, "_TIMEOUT", 0.2)
    server.answers["LICENSE"] = lambda handler: server.released.wait(10)
    with pytest.raises(FetchFailed, match="LICENSE: no answer in time"):
        fetch("small", root)
    assert found(root) == set()


def test_a_file_in_the_way_of_the_folder(manifest, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FetchFailed, match=r"cannot write to .*file.*choose another folder"):
        fetch("small", tmp_path / "file")


def test_an_unknown_name():
    with pytest.raises(ValueError, match="no data set 'all' to fetch: there is circuitnet-demo, r2g"):
        fetch("all")
    with pytest.raises(ValueError, match="no data set .'all'. to fetch"):
        fetch(["all"])
    with pytest.raises(ValueError, match="root is 5: give the path of the folder"):
        fetch("circuitnet-demo", 5)


def test_the_folder_is_what_the_variable_says_unless_given(manifest, root, monkeypatch):
    monkeypatch.setenv("SMALL_ROOT", str(root))
    assert fetch("small") == root


def stall_after(server, count):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", len(FILES["demo/a/one.npy"]))
        handler.end_headers()
        handler.wfile.write(FILES["demo/a/one.npy"][:count])
        handler.wfile.flush()
        server.released.wait(30)

    return answer


PROCESS = """
import sys
from pathlib import Path
from gsrgnn.circuits import fetch
fetch.MANIFESTS = {"small": Path(sys.argv[1])}
fetch.fetch("small", sys.argv[2])
"""


@pytest.mark.parametrize("how", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGKILL])
def test_an_interrupted_fetch_is_taken_up_again(manifest, server, root, how):
    server.answers["demo/a/one.npy"] = stall_after(server, 70_000)
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, manifest, root],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 60
    while "demo/a/one.npy" not in server.asked or not any(root.glob(".small.incoming/*")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(0.2)
    os.kill(process.pid, how)
    process.communicate(timeout=30)
    if how == signal.SIGINT:
        assert found(root) == {"LICENSE"}
    assert not (root / "a" / "one.npy").exists()
    server.answers.clear()
    fetch("small", root)
    assert found(root) == {"LICENSE", "a/one.npy", "two.npy"}


def test_two_at_once_fetch_each_file_once(manifest, server, root):
    with ThreadPoolExecutor(2) as both:
        list(both.map(lambda _: fetch("small", root), range(2)))
    assert sorted(server.asked) == sorted(FILES)
    assert found(root) == {"LICENSE", "a/one.npy", "two.npy"}


@pytest.mark.parametrize(
    ("name", "variable", "kinds"),
    [
        (
            "circuitnet-demo",
            "CIRCUITNET_ROOT",
            {"node_attr": 3, "net_attr": 3, "pin_attr": 3, "instance_placement_gcell": 3},
        ),
        ("r2g", "R2G_ROOT", {"placement_def": 22, "routing_def": 11}),
    ],
)
def test_the_manifests(name, variable, kinds):
    manifest = json.loads(module.MANIFESTS[name].read_text())
    assert module.variable(name) == variable
    assert manifest["url"].endswith(manifest["commit"])
    assert len(manifest["commit"]) == 40
    for kind, count in kinds.items():
        assert sum(f"/{kind}/" in path for path in manifest["files"]) == count
    for path, file in manifest["files"].items():
        assert path == "LICENSE" or path.startswith(manifest["folder"])
        assert len(file["sha256"]) == 64
        assert file["bytes"] > 0


@pytest.mark.skipif(not os.environ.get("CIRCUITNET_ROOT"), reason="CIRCUITNET_ROOT is not set: needs its files")
def test_the_demos_checksums_are_those_of_the_files_at_hand():
    manifest = json.loads(module.MANIFESTS["circuitnet-demo"].read_text())
    compared = 0
    for path, file in manifest["files"].items():
        at_hand = module.Path(os.environ["CIRCUITNET_ROOT"]) / path.removeprefix(manifest["folder"])
        if at_hand.suffix == ".npy" and at_hand.is_file():
            compared += 1
            assert module._is_whole(at_hand, file), path
    assert compared


@pytest.mark.skipif(not os.environ.get("R2G_ROOT"), reason="R2G_ROOT is not set: needs its files")
def test_r2gs_checksums_are_those_of_the_files_at_hand():
    manifest = json.loads(module.MANIFESTS["r2g"].read_text())
    compared = 0
    for path, file in manifest["files"].items():
        at_hand = module.Path(os.environ["R2G_ROOT"]) / f"{path.removeprefix(manifest['folder'])}.gz"
        if at_hand.is_file():
            compared += 1
            assert hashlib.sha256(gzip.decompress(at_hand.read_bytes())).hexdigest() == file["sha256"], path
    assert compared
