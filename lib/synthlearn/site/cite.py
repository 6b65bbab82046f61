"""The directive ``cite-this``: BibTeX of the book and of the papers, from ``CITATION.cff``.

A Sphinx extension, named in ``_config.yml``.
"""

from collections.abc import Mapping
from typing import Any

import yaml
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from ..core import files

KINDS = {"software": "software", "conference-paper": "inproceedings"}
# fields of an entry: BibTeX's name, and the one of CITATION.cff
FIELDS = {
    "booktitle": "collection-title",
    "version": "version",
    "url": "url",
    "doi": "doi",
    "license": "license",
}


def setup(app: Any) -> dict[str, bool]:
    """Register the directive with Sphinx."""
    app.add_directive("cite-this", CiteThis)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class CiteThis(SphinxDirective):
    """Our message, and the entries as a code block, which has a button to copy it."""

    def run(self) -> list[nodes.Node]:
        """The directive's nodes."""
        path = files.root() / "CITATION.cff"
        self.env.note_dependency(str(path))
        cited = yaml.safe_load(path.read_text("utf-8"))
        text = "\n\n".join(bibtex(entry) for entry in (cited, *cited["references"]))
        block = nodes.literal_block(text, text, language="bibtex")
        return [nodes.paragraph(text=cited["message"]), block]


def bibtex(entry: Mapping[str, Any]) -> str:
    """An entry of ``CITATION.cff`` as BibTeX.

    >>> noise = {"type": "software", "title": "Noise", "authors": [{"name": "the makers"}]}
    >>> print(bibtex(noise))
    @software{noise,
      title = {{Noise}},
      author = {{the makers}}
    }
    """
    authors = entry["authors"]
    fields = {"title": f"{{{entry['title']}}}", "author": " and ".join(map(_name, authors))}
    fields |= {name: entry[key] for name, key in FIELDS.items() if key in entry}
    if year := entry.get("year") or str(entry.get("date-released", ""))[:4]:
        fields["year"] = year
    first = authors[0].get("family-names") or entry["title"].partition(":")[0]
    key = f"{first}{entry.get('year', '')}".lower().replace(" ", "")
    body = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@{KINDS[entry['type']]}{{{key},\n{body}\n}}"


def _name(author: Mapping[str, str]) -> str:
    """A person as BibTeX has it; a name of several in braces, so that it stays whole."""
    if "name" in author:
        return f"{{{author['name']}}}"
    return f"{author['family-names']}, {author['given-names']}"
