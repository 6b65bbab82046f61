"""What search engines and messengers show of a page: a Sphinx extension, named in ``_config.yml``.

Every page gets a description, its question, and a card: title, description, the book's image.
The image's address is whole where ``html_baseurl`` names the site, else relative to the page.
"""

import re
from html import escape
from typing import Any

from docutils import nodes

LONGEST = 160  # characters of a description; search engines cut longer ones
CARD = "_static/card.png"
CARD_ALT = "Eight sets of images that no camera took, with what they teach an encoder"


def setup(app: Any) -> dict[str, bool]:
    """Write the tags into every page."""
    app.connect("html-page-context", _add)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _add(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    if doctree is None:  # search, index
        return
    title = re.sub(r"<[^>]+>", "", context["title"])
    base = app.config.html_baseurl
    card = f"{base.rstrip('/')}/{CARD}" if base else "../" * page.count("/") + CARD
    context["metatags"] += tags(title, description(doctree), app.config.html_title, card)


def description(document: nodes.document) -> str:
    """A page's first paragraph: as many whole sentences as fit, at least one; "" where it opens
    with something else."""
    section = next(iter(document.findall(nodes.section)), document)
    first = next(
        (n for n in section.children if not isinstance(n, nodes.title | nodes.target)), None
    )
    if not isinstance(first, nodes.paragraph):
        return ""
    sentences = re.split(r"(?<=[.?!])\s+", re.sub(r"\s+", " ", first.astext()).strip())
    text = sentences[0]
    for sentence in sentences[1:]:
        if len(text) + 1 + len(sentence) > LONGEST:
            break
        text += f" {sentence}"
    return text


def tags(title: str, about: str, book: str, card: str) -> str:
    """The elements of a page's head.

    >>> print(tags("Noise", "Does it teach?", "The book", "card.png").splitlines()[0])
    <meta name="description" content="Does it teach?">
    """
    about = about or f"{title}: a page of {book}"
    named = {"description": about, "twitter:card": "summary_large_image"}
    properties = {
        "og:type": "article",
        "og:title": title,
        "og:description": about,
        "og:site_name": book,
        "og:image": card,
        "og:image:alt": CARD_ALT,
    }
    lines = [f'<meta name="{key}" content="{escape(value)}">' for key, value in named.items()]
    lines += [
        f'<meta property="{key}" content="{escape(value)}">' for key, value in properties.items()
    ]
    return "\n".join(lines) + "\n"
