"""Where the site and its repository are published, told by two variables; nothing is said of what is not given."""

import os
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

SITE: str = "GSRGNN_SITE_URL"
REPOSITORY: str = "GSRGNN_REPOSITORY"


class Address(NamedTuple):
    """Addresses of the pages (with a slash at its end) and of the repository (without); "" where not known."""

    site: str
    repository: str

    @property
    def path(self) -> str:
        """The path under which a server has the pages; the server's root where the address is not known."""
        return urlsplit(self.site).path or "/"


def address(variables: Mapping[str, str] = os.environ) -> Address:
    """What the variables GSRGNN_SITE_URL and GSRGNN_REPOSITORY say.

    Raises ValueError for what is not the address of a folder on the web, or of a repository and its owner.
    """
    site, repository = (_checked(name, variables.get(name, "")) for name in (SITE, REPOSITORY))
    if repository and urlsplit(repository).path.count("/") < 2:
        raise ValueError(f"{REPOSITORY} is {repository!r}: give owner and name, as in https://example.org/owner/name")
    return Address(site + "/" * bool(site), repository)


def _checked(name: str, given: str) -> str:
    parts = urlsplit(given)
    if given and (parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment):
        raise ValueError(f"{name} is {given!r}: give an address such as https://example.org/book, or leave it out")
    return given.rstrip("/")
