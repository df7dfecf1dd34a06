"""The local server of a page and of the events that it follows."""

from __future__ import annotations

import errno
import http.server
import os
import secrets
import socket
import socketserver
import sys
import threading
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from cynn.callbacks.live.event_log import EventLog
from cynn.errors import InvalidParameterError

__all__ = ["Server"]

_LOOPBACK = "127.0.0.1"
_MAX_CONNECTIONS = 32
_SECONDS_TO_END = 1.0  # that pages have to take what they have not been sent yet
_SECONDS_BETWEEN_BEATS = 5.0  # after so long without an event, a connection is asked whether it is there
_POLICY = (
    "default-src 'none'; connect-src 'self'; img-src data:; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Server(socketserver.TCPServer):
    """Serves a page and an `EventLog` to this machine, from threads of its own, until it is closed.

    Parameters
    ----------
    port : int
        0 for a free one.
    page : str
        HTML, which follows the events of `events`.

    Raises
    ------
    InvalidParameterError
        The port cannot be had.
    """

    allow_reuse_address = os.name == "posix"  # elsewhere, it would share a port that another program has
    request_queue_size = _MAX_CONNECTIONS
    timeout = 1.0  # seconds after which `handle_request` looks up

    def __init__(self, port: int, page: str) -> None:
        try:
            super().__init__((_LOOPBACK, port), _Handler)
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise InvalidParameterError(
                f"The 'port' parameter of Live must be one that is free, or 0 for any. Got {port} instead: "
                f"{error.strerror}."
            ) from None
        self.page = page.encode()
        self.events = EventLog()
        self.token = secrets.token_urlsafe(24)
        self._port = self.server_address[1]
        # a page of elsewhere whose name was made to lead here sends that name
        self.hosts = {f"{_LOOPBACK}:{self._port}", f"localhost:{self._port}"}
        self.address = f"http://{_LOOPBACK}:{self._port}/{self.token}/"
        self._connections: dict[threading.Thread, Any] = {}
        self._is_closing = False
        self._thread = threading.Thread(target=self._serve, name="cynn-live", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._is_closing:
            self.handle_request()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._is_closing or len(self._connections) >= _MAX_CONNECTIONS:
            self.shutdown_request(request)
            return
        thread = threading.Thread(target=self._answer, args=(request, client_address), name="cynn-live", daemon=True)
        self._connections[thread] = request
        thread.start()

    def _answer(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception:
            self.handle_error(request, client_address)
        finally:
            self.shutdown_request(request)
            self._connections.pop(threading.current_thread(), None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # such as a page that was closed
            super().handle_error(request, client_address)

    def close(self) -> None:
        """End all connections and threads: each page has a moment for what it has not been sent yet."""
        self._is_closing = True
        with suppress(OSError):
            socket.create_connection((_LOOPBACK, self._port), timeout=1).close()  # wakes the thread
        self._thread.join()
        self.server_close()
        self.events.close(_SECONDS_TO_END)
        threads = dict(self._connections)
        for connection in threads.values():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits for one that does not read
        for thread in threads:
            thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers one request."""

    server: Server
    timeout = 10  # seconds to wait for one that neither asks nor reads
    server_version, sys_version = "cynn", ""

    def do_GET(self) -> None:
        token, _, name = self.path.removeprefix("/").partition("/")
        is_for_this_page = secrets.compare_digest(token.encode(), self.server.token.encode())
        if not is_for_this_page or self.headers.get("Host") not in self.server.hosts:
            self.send_error(HTTPStatus.FORBIDDEN)
        elif name == "":
            self._begin("text/html; charset=utf-8")
            self.wfile.write(self.server.page)
        elif name == "events":
            self._begin("text/event-stream")
            self._tell()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _begin(self, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()

    def _tell(self) -> None:
        """Send what happens as it happens. Only what is being sent is kept, however slow the reader is."""
        self.wfile.write(b"retry: 1000\n\n")
        with self.server.events.reader() as reader:
            while not reader.is_done:
                message = reader.next(_SECONDS_BETWEEN_BEATS)
                self.wfile.write(b": \n\n" if message is None else f"data: {message}\n\n".encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is printed of requests."""
