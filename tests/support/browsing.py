"""Chromium for tests of pages: `browser`, pages that keep what goes wrong, and `axe`, which looks at accessibility."""

import shutil

import npm
import pytest


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: extra 'browser'")
    found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    if not found:
        pytest.skip("Chromium is not installed")
    quiet = ["--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=found[0], args=[*quiet, "--disable-sync", "--disable-gpu"])
        yield chromium
        chromium.close()


def watched(browser, address, **options):
    """A page that keeps what goes wrong in `page.problems`, and asks for nothing but what begins with the address."""
    page = browser.new_page(**options)
    page.set_default_timeout(180_000)  # milliseconds: a busy machine is no failure
    problems = page.problems = []

    def route(route):
        if route.request.url.startswith((address, "data:")):
            route.continue_()
        else:
            problems.append(f"asks for {route.request.url}")
            route.abort()

    page.route("**/*", route)
    page.on("console", lambda said: problems.append(f"{said.type}: {said.text}") if said.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(f"error: {error}"))
    page.on("response", lambda got: problems.append(f"{got.status}: {got.url}") if got.status >= 400 else None)
    return page


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    """The script of axe, from npm."""
    folder = npm.unpacked("axe-core@4.11.0", tmp_path_factory.mktemp("axe"))
    return (folder / "axe.min.js").read_text(encoding="utf-8")
