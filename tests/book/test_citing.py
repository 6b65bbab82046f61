"""Citing and finding the book: BibTeX, links of references, what a page says of itself."""

import re
import tomllib

import docutils.core
import pytest
import yaml
from PIL import Image
from pybtex.database import parse_file, parse_string

from synthlearn.core import files
from synthlearn.site import cite, meta

ROOT = files.root()
CITED = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
LINKS = {
    "eprint": r"\d{4}\.\d{4,5}",
    "doi": r"10\.\d{4,5}/\S+",
    "url": r"https://\S+",
}


def test_every_reference_has_a_link_of_its_kind():
    for key, entry in parse_file(ROOT / "book" / "references.bib").entries.items():
        links = {name: entry.fields[name] for name in LINKS if name in entry.fields}
        assert links, key
        assert all(re.fullmatch(LINKS[name], link) for name, link in links.items()), key


def test_bibtex_says_what_the_citation_file_says():
    for entry in (CITED, *CITED["references"]):
        (parsed,) = parse_string(cite.bibtex(entry), "bibtex").entries.values()
        assert parsed.fields["title"].strip("{}") == entry["title"]
        names = [str(person).strip("{}") for person in parsed.persons["author"]]
        assert names == [
            author.get("name") or f"{author['family-names']}, {author['given-names']}"
            for author in entry["authors"]
        ]
        for name, key in cite.FIELDS.items():
            assert parsed.fields.get(name) == entry.get(key)


def test_the_cited_papers_are_those_of_the_references():
    titles = {
        re.sub(r"[{}]", "", entry.fields["title"])
        for entry in parse_file(ROOT / "book" / "references.bib").entries.values()
    }
    assert {paper["title"] for paper in CITED["references"]} <= titles
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert CITED["version"] == project["version"]


@pytest.mark.parametrize(
    ("source", "description"),
    [
        ("Noise\n=====\n\n*Does it teach?* We ask.", "Does it teach? We ask."),
        ("Noise\n=====\n\nDoes it\nteach? " + "Long. " * 40, "Does it teach?" + " Long." * 24),
        ("Noise\n=====\n\n" + "word " * 50 + "end. More.", "word " * 50 + "end."),
        ("Noise\n=====\n\n- a list\n\nDoes it teach?", ""),
    ],
)
def test_a_page_is_described_by_its_first_sentences(source, description):
    assert meta.description(docutils.core.publish_doctree(source)) == description


def test_no_title_or_sentence_leaves_its_tag():
    for line in meta.tags('A "b" <c>', 'd" e="<f>', "g&h", "../card.png").splitlines():
        assert re.fullmatch(r'<meta (?:name|property)="[\w:]+" content="[^"<>]*">', line), line


def test_the_card_is_as_large_as_messengers_show_and_light():
    path = ROOT / "book" / meta.CARD
    with Image.open(path) as card:
        assert card.size == (1200, 630)
    assert path.stat().st_size < 200_000
