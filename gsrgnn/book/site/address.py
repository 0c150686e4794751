"""Where the site and its repository are published, and where its notebooks are run, told by three variables.

Nothing is said of what is not given.
"""

import os
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

SITE: str = "GSRGNN_SITE_URL"
REPOSITORY: str = "GSRGNN_REPOSITORY"
LAUNCH: str = "GSRGNN_LAUNCH"
LAUNCHERS: tuple[str, ...] = ("colab", "binder")
"""Services that open a notebook of a repository on GitHub."""


class Address(NamedTuple):
    """Addresses of the pages (with a slash at its end) and of the repository (without), and the service of `LAUNCHERS`
    that runs notebooks; "" where not known."""

    site: str
    repository: str
    launch: str = ""

    @property
    def path(self) -> str:
        """The path under which a server has the pages; the server's root where the address is not known."""
        return urlsplit(self.site).path or "/"


def address(variables: Mapping[str, str] = os.environ) -> Address:
    """What the variables GSRGNN_SITE_URL, GSRGNN_REPOSITORY and GSRGNN_LAUNCH say.

    Raises ValueError for what is not the address of a folder on the web, or of a repository and its owner, for a
    service that is not known, and for one without a repository on GitHub.
    """
    site, repository = (_checked(name, variables.get(name, "")) for name in (SITE, REPOSITORY))
    repository = repository.removesuffix(".git")
    owner, _, name = urlsplit(repository).path.strip("/").partition("/")
    if repository and not (owner and name and ("/" not in name or urlsplit(repository).hostname != "github.com")):
        raise ValueError(f"{REPOSITORY} is {repository!r}: give owner and name, as in https://example.org/owner/name")
    launch = variables.get(LAUNCH, "")
    if launch and launch not in LAUNCHERS:
        raise ValueError(f"{LAUNCH} is {launch!r}: give {' or '.join(LAUNCHERS)}, or leave it out")
    if launch and urlsplit(repository).hostname != "github.com":
        raise ValueError(f"{LAUNCH}={launch} opens notebooks of a repository on github.com: give {REPOSITORY}")
    return Address(site + "/" * bool(site), repository, launch)


def _checked(name: str, given: str) -> str:
    parts = urlsplit(given)
    odd = not parts.netloc or set(given) & {"?", "#"} or len(given.split()) > 1 or given != given.strip()
    if given and (parts.scheme not in ("http", "https") or odd):
        raise ValueError(f"{name} is {given!r}: give an address such as https://example.org/book, or leave it out")
    return given.rstrip("/")
