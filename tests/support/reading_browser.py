"""A browser without a window, for tests of what a training tells its page."""

import json
import threading
import urllib.request

SECONDS = 60


class ReadingBrowser:
    """Reads each page that it is told to open, and follows its events: what `webbrowser.get` would return."""

    def __init__(self):
        self.pages, self._threads = [], []

    def open(self, address):
        messages = []

        def read():
            with urllib.request.urlopen(address, timeout=SECONDS) as page:
                assert b"A training" in page.read()
            with urllib.request.urlopen(f"{address}events", timeout=SECONDS) as events:
                messages.extend(json.loads(line[6:]) for line in events if line.startswith(b"data: "))

        self.pages.append(messages)
        self._threads.append(threading.Thread(target=read))
        self._threads[-1].start()
        return True

    def join(self):
        """Wait until all pages have been read to the end."""
        for thread in self._threads:
            thread.join(SECONDS)
            assert not thread.is_alive()
