"""Runs a notebook with `net.watch()` in JupyterLab, in Chromium: `python -m tests.support.in_jupyter`, by hand.

It needs the extras "browser" and "widget", and the package jupyterlab, which is too large to install for a test.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

CELLS = [
    "import cynn\n(x, y), test = cynn.datasets.load_mnist()\n"
    "net = cynn.Network.mlp([784, 16, 16, 10], activation='sigmoid', output='softmax', input_scale=1 / 255, seed=0)",
    "view = net.watch(examples=test)\nview",
    "history = net.fit(x, y, epochs=100, optimizer='adam', validation_data=test, callbacks=[view.training])",
]
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


def notebook():
    """The text of the notebook."""
    cells = [{"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": text, "id": str(k)}
             for k, text in enumerate(CELLS)]  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return json.dumps({"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5})


def look(browser, address, folder, theme):
    """Run the notebook, and check what is seen of it."""
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension" / "themes.jupyterlab-settings"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(json.dumps({"theme": THEMES[theme]}))
    page = browser.new_page(viewport={"width": 1300, "height": 1000})
    page.set_default_timeout(120_000)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    page.locator("#jp-main-statusbar", has_text="Idle").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    chart, labels = page.locator(".view .chart svg[role=img]").first, {}
    while "epoch 100:" not in (label := chart.get_attribute("aria-label")):
        labels[label] = True
        page.wait_for_timeout(50)
    assert len(labels) > 1, f"the curve must grow while the network is trained: {list(labels)}"
    chosen = page.locator(".view #outputs .best")
    assert chosen.inner_text().startswith("7"), "the network must know the first example"
    is_dark = page.locator(".view.dark, .dark .view").count() > 0
    assert is_dark == (theme == "dark")
    pad = page.locator(".view canvas").first
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    page.mouse.move(box["x"] + 140, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 140, box["y"] + 240, steps=20)
    page.mouse.up()
    page.wait_for_timeout(500)
    assert chosen.inner_text().startswith("1"), "a stroke downward must be a 1"
    assert errors == [], errors
    page.screenshot(path=f"jupyter_{theme}.png")
    print(f"{theme}: the curve has grown {len(labels)} times; a stroke is a 1; jupyter_{theme}.png shows it")
    page.close()


def main():
    with tempfile.TemporaryDirectory() as name:
        folder, token = Path(name), secrets.token_hex(8)
        (folder / "watch.ipynb").write_text(notebook())
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        environment = os.environ | {
            "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
            "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        }
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}",
                   f"--IdentityProvider.token={token}", f"--notebook-dir={folder}"]  # fmt: skip
        server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            while socket.socket().connect_ex(("127.0.0.1", port)):
                assert server.poll() is None, "JupyterLab has ended"
                time.sleep(0.2)
            with sync_playwright() as running:
                found = shutil.which("chromium") or shutil.which("google-chrome")
                browser = running.chromium.launch(executable_path=found)
                for theme in THEMES:
                    look(browser, f"http://127.0.0.1:{port}/lab/tree/watch.ipynb?token={token}&reset", folder, theme)
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
