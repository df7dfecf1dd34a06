"""Every link within the built site leads somewhere. CYNN_SITE names the folder that sphinx-build wrote."""

import os
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

SITE = os.environ.get("CYNN_SITE")
#: The attribute of each element that leads somewhere.
LINKS = {"a": "href", "link": "href", "img": "src", "script": "src", "source": "srcset", "iframe": "src"}


class Page(HTMLParser):
    """The links of a page, and what links may lead to in it."""

    def __init__(self, text):
        super().__init__()
        self.links, self.ids = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.ids |= {found[name] for name in ("id", "name") if found.get(name)}
        value = found.get(LINKS.get(tag, ""))
        if value and not (tag == "link" and found.get("rel") in ("search", "canonical")):
            self.links.append(value.split()[0] if tag == "source" else value)


def broken(folder):
    """`page: link` for every link that leads nowhere."""
    files = [path for path in sorted(folder.rglob("*.html")) if path.relative_to(folder).parts[0] != "_static"]
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in files}  # a template of the theme is static
    everything = {str(path) for path in folder.rglob("*") if path.is_file()}
    for path, page in pages.items():
        for link in dict.fromkeys(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue  # to elsewhere
            target = os.path.normpath(path.parent / unquote(parts.path)) if parts.path else str(path)
            if target not in everything:
                target = os.path.join(target, "index.html")
            there = pages.get(Path(target))
            if target not in everything or (parts.fragment and there and unquote(parts.fragment) not in there.ids):
                yield f"{path.relative_to(folder)}: {link}"


@pytest.mark.skipif(not SITE, reason="CYNN_SITE names no built site")
def test_every_link_within_the_site_leads_somewhere():
    folder = Path(SITE).resolve()
    assert (folder / "index.html").exists()
    assert list(broken(folder)) == []


def test_broken_links_are_found(tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "index.html").write_text('<h1 id="title">x</h1><a href="../index.html#top">x</a>')
    (tmp_path / "picture one.png").touch()
    (tmp_path / "index.html").write_text(
        '<p id="top"></p><a href="#top">x</a><a href="other/#title">x</a><img src="picture%20one.png">'
        '<a href="https://example.org/gone">x</a><a href="mailto:a@example.org">x</a>'
        '<a href="gone.html">x</a><a href="#gone">x</a><a href="other/index.html#gone">x</a><img src="gone.png">'
        '<a href="../outside.html">x</a>'
    )
    (tmp_path.parent / "outside.html").touch()
    found = [line.removeprefix("index.html: ") for line in broken(tmp_path.resolve())]
    assert found == ["gone.html", "#gone", "other/index.html#gone", "gone.png", "../outside.html"]
