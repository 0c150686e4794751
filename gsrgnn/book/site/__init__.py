"""The book as a site: what its pages need when they are published and a chapter does not say.

A Sphinx extension adds to each page its head (`head`), how long it takes to read (`reading`), where its numbers come
from (`mark`), its footer, a button that runs it elsewhere (`launch`), and an index that finds numbers (`search`). For
the reference it reads docstrings (`docstrings`) and commands (`commands`), links names to their entries (`names`) and
entries to the source (`source`). When the pages are there, `finish.finish` numbers their figures (`numbering`), makes
them light and strict, and adds decks of `slides` and a `worksheet`; `downloads` makes notebooks that install the
`wheel` beside them. `archive` packs all into one file, `pdf` prints the pages into one.
"""

from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config

from gsrgnn.book.site import docstrings, head, launch, mark, names, reading, search, slides, source, wheel
from gsrgnn.book.site.address import address
from gsrgnn.book.site.citation import Citation
from gsrgnn.book.site.commands import Commands


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.add_search_language(search.Numbers)
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.linkcode")
    app.add_directive("commands", Commands)
    app.connect("config-inited", _configure)
    app.connect("doctree-read", mark.add)
    app.connect("doctree-read", reading.add)
    app.connect("autodoc-process-docstring", docstrings.prepare, priority=400)  # before napoleon, which has 500
    app.connect("autodoc-process-signature", docstrings.shorten)
    app.connect("doctree-resolved", names.link)
    app.connect("doctree-resolved", search.separate_cells)
    app.connect("doctree-resolved", slides.keep_marks)
    app.connect("html-page-context", _add_to_page)
    app.connect("html-page-context", slides.offer, priority=900)  # after the theme, which makes the buttons
    app.connect("build-finished", search.keep_integers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _configure(app: Sphinx, config: Config) -> None:
    place = address()
    config.html_baseurl = place.site
    config.linkcode_resolve = source.resolve
    if place.repository:
        config.html_theme_options |= {
            "repository_url": place.repository,
            "repository_provider": next((one for one in ("gitlab", "bitbucket") if one in place.repository), "github"),
            "use_repository_button": True,
            "use_issues_button": True,
        }
    if place.launch:
        config.html_theme_options |= launch.options(place.launch)


def _add_to_page(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    place, citation = address(), Citation(Path(app.srcdir, "CITATION.cff"))
    context["metatags"] = context.get("metatags", "") + head.tags(
        app, page, context, head.describe(doctree), citation, place
    )
    context["citation"] = citation
    context["repository"] = place.repository
    context["wheel"] = wheel.offered(Path(app.srcdir))
    context["bibtex"] = citation.bibtex(place.repository or place.site)
