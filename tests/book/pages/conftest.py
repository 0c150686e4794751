"""A browser, and the built book behind a server that does what hosts of pages do: gzip, and a page for 404."""

import gzip
import re
import shutil
import threading
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium")
HTML = Path(__file__).parents[3] / "_build" / "html"


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api").sync_playwright().start()
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    yield browser
    browser.close()
    playwright.stop()


@pytest.fixture(scope="session")
def prefix():
    """The path under which the book was built to be served, as its page for wrong addresses has it."""
    return re.search(r'data-content_root="([^"]+)"', (HTML / "404.html").read_text())[1]


class Host(SimpleHTTPRequestHandler):
    def __init__(self, *arguments, prefix, **options):
        self.prefix = prefix
        super().__init__(*arguments, **options)

    def do_GET(self):
        place = self.path.partition("?")[0]
        file = Path(self.translate_path("/" + place.removeprefix(self.prefix)))
        found = place.startswith(self.prefix) and file.is_file()
        file = file if found else HTML / "404.html"
        content = gzip.compress(file.read_bytes(), mtime=0)
        self.send_response(HTTPStatus.OK if found else HTTPStatus.NOT_FOUND)
        self.send_header("Content-Type", self.guess_type(file))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def served(prefix):
    """The address of the built book on this machine, with a slash at its end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Host, directory=str(HTML), prefix=prefix))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}{prefix}"
    server.shutdown()
    server.server_close()
