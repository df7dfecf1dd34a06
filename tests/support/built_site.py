"""The documentation, built and served: `site`, `address`, `page`, and `opened_page`, which opens pages.

CYNN_SITE names the folder of a site that is built already.
"""

import os
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from browsing import watched

DOCS = Path(__file__).parents[2] / "docs"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def site(browser, tmp_path_factory):
    """The folder of the site."""
    if "CYNN_SITE" in os.environ:
        return Path(os.environ["CYNN_SITE"])
    pytest.importorskip("sphinx_gallery")
    folder = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", DOCS, folder], check=True)
    return folder


@pytest.fixture(scope="module")
def address(site):
    """Where the site is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def page(browser, address):
    """A page from which no way leads out of this machine."""
    page = watched(browser, address, viewport={"width": 1280, "height": 900})
    yield page
    page.close()


@pytest.fixture
def opened_page(browser, address):
    """A function that opens a page of the site, light or dark. Nothing may go wrong on any of them."""
    pages = []

    def opened(path, width=1300, mode="light"):
        page = watched(browser, address, viewport={"width": width, "height": 900})
        page.add_init_script(f"localStorage.setItem('mode', '{mode}'); localStorage.setItem('theme', '{mode}')")
        pages.append(page)
        page.goto(f"{address}/{path}.html")
        return page

    yield opened
    for page in pages:
        assert page.problems == []
        page.close()
