"""Public files, fetched at a pinned commit and kept only if they are, byte for byte, the ones meant."""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pooch
import requests
from filelock import FileLock
from tqdm import tqdm

from gsrgnn.circuits.circuitnet import Folder

MANIFESTS = {name: Path(__file__).with_name(f"{name.replace('-', '_')}.json") for name in ("circuitnet-demo", "r2g")}
_CHUNK = 2**16
_TIMEOUT = 30  # seconds without a byte


class FetchFailed(RuntimeError):
    """A file could not be fetched; the message names it and says what to do."""


def fetch(
    name: str,
    root: Folder | None = None,
    *,
    url: str | None = None,
    say: Callable[[str], object] = print,
) -> Path:
    """The files of data set `name` in folder `root`, which is returned; those already there and whole are kept.

    root: default is what the variable of `variable(name)` says, or a folder in the user's cache. url: from where, in
    place of the address in the data set's manifest (files lie below it as in the repository).

    A file comes to its place only when its size and SHA-256 are right: what breaks off, or differs, leaves nothing.
    Another process that fetches into the same folder is waited for. Raises ValueError for an unknown `name`,
    FetchFailed for everything that the network or the disk does.
    """
    manifest = _manifest(name)
    url = (url or manifest["url"]).rstrip("/")
    root = root or os.environ.get(manifest["variable"]) or pooch.os_cache("gsrgnn") / name
    if not isinstance(root, (str, bytes, os.PathLike)):
        raise ValueError(f"root is {root!r:.200}: give the path of the folder to fetch into")
    root = Path(os.fsdecode(root)).expanduser().absolute()
    try:
        root.mkdir(parents=True, exist_ok=True)
        targets = {root / path.removeprefix(manifest["folder"]): path for path in manifest["files"]}
        missing = [target for target, path in targets.items() if not _is_whole(target, manifest["files"][path])]
        if missing:
            with FileLock(root / f".{name}.lock"):
                _fetch_all({t: targets[t] for t in missing}, manifest["files"], url, root / f".{name}.incoming", say)
    except OSError as error:
        raise FetchFailed(f"cannot write to {root} ({error}): choose another folder (--root)") from error
    say(f"{name}: {len(targets)} files in {root}, all as published at commit {manifest['commit'][:12]}")
    return root


def variable(name: str) -> str:
    """The variable that says where data set `name` lies: CIRCUITNET_ROOT or R2G_ROOT. ValueError as for `fetch`."""
    return _manifest(name)["variable"]


def _manifest(name):
    if not isinstance(name, str) or name not in MANIFESTS:
        raise ValueError(f"no data set {name!r} to fetch: there is {', '.join(MANIFESTS)}")
    return json.loads(MANIFESTS[name].read_text())


def _fetch_all(targets, files, url, incoming, say):
    """Each target not yet whole, by way of the folder `incoming`, which is gone in the end."""
    shutil.rmtree(incoming, ignore_errors=True)  # left by a process that was killed
    wanted = {target: path for target, path in targets.items() if not _is_whole(target, files[path])}
    size = sum(files[path]["bytes"] for path in wanted.values())
    say(f"fetching {len(wanted)} files, {size / 1e6:.1f} MB, from {url}")
    quiet = not sys.stderr.isatty()
    try:
        with tqdm(total=size, unit="B", unit_scale=True, leave=False, disable=quiet) as bar:
            for target, path in wanted.items():
                bar.set_description(target.name)
                whole = _fetch_one(f"{url}/{path}", files[path], incoming, bar)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(whole, target)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)


def _fetch_one(url, expected, incoming, bar):
    def download(url, output, _pooch):
        get = pooch.HTTPDownloader(
            chunk_size=_CHUNK,
            timeout=_TIMEOUT,
            headers={"Accept-Encoding": "identity"},
            hooks={"response": _refuse_packed},
        )
        with open(output, "wb") as file:
            get(url, _Bounded(file, expected["bytes"], bar), None)

    pooch.get_logger().setLevel("WARNING")
    again = "what has arrived whole is kept: run the same command again"
    try:
        return pooch.retrieve(url, f"sha256:{expected['sha256']}", "file", incoming, downloader=download)
    except requests.HTTPError as error:
        answer = f"{error.response.status_code} {error.response.reason}"  # type: ignore[union-attr]  # it is of one
        raise FetchFailed(f"{url} answers {answer}: {again} later") from error
    except (requests.ConnectionError, requests.Timeout) as error:
        reason = "no answer in time" if isinstance(error, requests.Timeout) else "no connection, or it broke off"
        raise FetchFailed(f"{url}: {reason}: check the network and the proxy; {again}") from error
    except (requests.RequestException, ValueError) as error:
        network = isinstance(error, requests.RequestException)
        reason = "it broke off, or the address is wrong" if network else "it is not the file published"
        raise FetchFailed(f"{url}: {reason} ({str(error)[:150]}); {again}") from error


def _refuse_packed(response, **_):
    """Lets pass what unpacks to a thousand times a chunk at most: one layer of deflate, where a server insists."""
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.lower() not in ("identity", "gzip", "deflate"):
        raise ValueError(f"it comes packed as {encoding[:40]!r}")


class _Bounded:
    """A file that takes up to `limit` bytes and moves a progress bar."""

    def __init__(self, file, limit, bar):
        self.file, self.left, self.bar = file, limit, bar
        self.flush = file.flush

    def write(self, chunk):
        self.left -= len(chunk)
        if self.left < 0:
            raise ValueError("it is longer than the one published")
        self.file.write(chunk)
        self.bar.update(len(chunk))


def _is_whole(path, expected):
    if not path.is_file() or path.stat().st_size != expected["bytes"]:
        return False
    return hashlib.sha256(path.read_bytes()).hexdigest() == expected["sha256"]
