"""Build the book: run its notebooks, then the pages, and put the new book in place of the last good one."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from gsrgnn.book.site import downloads, wheel
from gsrgnn.book.site.address import address
from gsrgnn.book.site.contents import pages
from gsrgnn.book.site.finish import finish
from gsrgnn.lab.notebooks import TIMEOUT, alone, check_parameters, read_source, run
from gsrgnn.provenance import code_hash, hash_files

CHAPTERS: str = "chapters"


def build(
    root: Path,
    parameters: Callable[[str], dict] = lambda notebook: {},
    *,
    timeout: int = TIMEOUT,
    force: bool = False,
    say: Callable[[str], None] = print,
) -> Path:
    """Bring `root`/_build/html up to date with the sources under `root`; returns the page to open.

    `parameters` gives a notebook's parameters by its name. Chapters in _toc.yml (`chapters/NAME`) are made
    from notebooks/NAME.py. Nothing is replaced unless everything succeeded.

    Raises FileNotFoundError where `root` holds no book or a chapter has no notebook, ValueError for a wrong
    parameter or address, NotebookFailed for a failing notebook, RuntimeError for pages with warnings.
    """
    if not (root / "_toc.yml").exists():
        raise FileNotFoundError(f"no _toc.yml in {root}: call this in the folder of the book's sources")
    address()
    chapters = list(chapter_names(root))
    for name in chapters:
        source = root / "notebooks" / f"{name}.py"
        check_parameters(read_source(source), parameters(name), source)

    with alone(root / "_build" / ".lock", say):
        for number, name in enumerate(chapters, start=1):
            step = f"[{number}/{len(chapters)}] {name}"
            run(
                root / "notebooks" / f"{name}.py",
                root / CHAPTERS / f"{name}.ipynb",
                parameters(name),
                root=root,
                timeout=timeout,
                force=force,
                say=lambda words, step=step: say(f"{step}: {words}"),
            )
        _build_pages(root, say)
    return root / "_build" / "html" / "index.html"


def chapter_names(root: Path) -> Iterator[str]:
    """Names of the notebooks in the table of contents, in reading order."""
    for page in pages(root):
        if page.startswith(f"{CHAPTERS}/"):
            yield page.removeprefix(f"{CHAPTERS}/")


def _build_pages(root: Path, say: Callable[[str], None]) -> None:
    html = root / "_build" / "html"
    made_from = html / ".made-from"
    key = _pages_key(root)
    if made_from.exists() and made_from.read_text() == key:
        say("pages: unchanged, not rebuilt")
        return
    say("pages: building")
    staging = root / "_build" / "staging"
    # From nothing each time (seconds): an incremental build is silent about the pages that it skips.
    shutil.rmtree(staging, ignore_errors=True)
    command = [
        *(sys.executable, "-c", "from jupyter_book.cli.main import main; main()"),
        *("build", str(root), "--path-output", str(staging), "-n", "-W", "--keep-going", "-q"),
    ]
    built = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if built.returncode != 0:
        raise RuntimeError(f"the pages have warnings; the last good book stays in place\n{built.stdout}")

    made = staging / "_build" / "html"
    finish(root, made, pages(root), address())
    if wheel.offered(root):
        downloads.open_with_install(made, wheel.make(root, made).name, address())
    new, old = html.with_name(".html.new"), html.with_name(".html.old")
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.move(made, new)
    (new / made_from.name).write_text(key)
    if html.exists():
        os.replace(html, old)
    os.replace(new, html)
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(staging)


def _pages_key(root: Path) -> str:
    names = ("_config.yml", "_toc.yml", "requirements.lock", "CHANGELOG.md", "CITATION.cff", "LICENSE")
    sources = [root / name for name in names]
    sources += [path for path in (root / "book").rglob("*") if path.is_file()]
    sources += [root / CHAPTERS / f"{name}.ipynb" for name in chapter_names(root)]
    sources += wheel.sources(root)
    package = code_hash()  # the site's extension, and what the reference says
    return " ".join([hash_files([path for path in sources if path.exists()], root), package, *address()])
