"""Check the links of a folder of HTML pages, without a network."""

from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple, Optional
from urllib.parse import unquote, urlsplit


class Checked(NamedTuple):
    """What the pages hold."""

    pages: int
    links: int
    hosts: list[str]  # of other sites that they link to
    faults: list[str]  # a line for each link that leads nowhere


class Page(HTMLParser):
    """The links and the anchors of a page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []  # what the browser loads by itself
        self.anchors: set[str] = set()
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, Optional[str]]]) -> None:
        for name, value in attrs:
            if not value:
                continue
            if name == "id" or (name == "name" and tag == "a"):
                self.anchors.add(value)
            elif name == "href" and tag != "link" and tag != "use":
                self.links.append(value)
            elif name in ("src", "href") and tag != "use":
                self.loaded.append(value)


def check(folder: Path) -> Checked:
    """Look up every link of the pages in a folder: the file that it names, and the anchor in it."""
    pages = {file.resolve(): Page(file) for file in folder.rglob("*.html")}
    n_links = 0
    hosts = set()
    faults = []
    for file, page in pages.items():
        for link in (*page.links, *page.loaded):
            n_links += 1
            parts = urlsplit(link)
            if parts.scheme in ("http", "https"):
                hosts.add(parts.netloc)
                if link in page.loaded:
                    faults.append(f"{file}: loads {link}")
                continue
            if parts.scheme in ("data", "mailto"):
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if parts.scheme or not target.is_file() or folder.resolve() not in target.parents:
                faults.append(f"{file}: {link} leads to no file of the site")
            elif parts.fragment and target in pages:
                known = pages[target].anchors
                # The explorer takes its language from there; a slide's has a slash before it.
                anchor = unquote(parts.fragment).lstrip("/")
                if anchor not in known and target.name != "explorer.html":
                    faults.append(f"{file}: {link} leads to no anchor there")
    return Checked(len(pages), n_links, sorted(hosts), faults)
