"""How to cite the book and the paper: CITATION.cff in words and as BibTeX."""

from pathlib import Path

import yaml


class Citation:
    """What CITATION.cff says of this software and, as its first reference, of the paper."""

    def __init__(self, file: Path) -> None:
        cff = yaml.safe_load(file.read_text())
        paper = cff["references"][0]
        self.title: str = cff["title"]
        self.version: str = str(cff["version"])
        self.date: str = str(cff["date-released"])
        self.licence: str = cff["license"]
        self.authors: list[str] = [_name(author) for author in cff["authors"]]
        self.paper_title: str = paper["title"]
        self.paper_authors: list[str] = [_name(author) for author in paper["authors"]]
        self.paper_year: int = paper["year"]
        self.paper_conference: str = paper["conference"]["name"]
        self.arxiv: str = paper["identifiers"][0]["value"].removeprefix("arXiv:")

    @property
    def paper_address(self) -> str:
        """The paper's page at arXiv."""
        return f"https://arxiv.org/abs/{self.arxiv}"

    def bibtex(self, address: str) -> str:
        """Two entries, this software and the paper; `address` is where the software is found, or ""."""
        url = f"  url     = {{{address}}},\n" * bool(address)
        return (
            f"@software{{gsrgnn,\n  author  = {{{{{' and '.join(self.authors)}}}}},\n  title   = {{{self.title}}},\n"
            f"  version = {{{self.version}}},\n  year    = {{{self.date[:4]}}},\n{url}}}\n\n"
            f"@inproceedings{{gsrgnn-paper,\n  author    = {{{' and '.join(self.paper_authors)}}},\n"
            f"  title     = {{{self.paper_title}}},\n  booktitle = {{{self.paper_conference}}},\n"
            f"  year      = {{{self.paper_year}}},\n  note      = {{arXiv:{self.arxiv}}},\n}}"
        )


def _name(author: dict[str, str]) -> str:
    return author.get("name") or f"{author['family-names']}, {author['given-names']}"
