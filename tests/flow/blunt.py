"""A server that answers as it is told, to the byte, and hangs where a real one would not."""

import contextlib
import json
import socket
import socketserver
import ssl
import threading

BODY = b'{"ok": true, "message": "taken, thank you"}'
ANSWER = (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: 0123456789abcdef\r\n"
          b"Content-Length: %d\r\nConnection: keep-alive\r\n\r\n%s" % (len(BODY), BODY))


class Blunt(socketserver.ThreadingTCPServer):
    """`behave(peer, event, attempt)` answers one request: `event` is the CloudEvents object that
    was sent, `attempt` counts its requests from 1.  With a certificate (files) it speaks TLS."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, behave, certificate=None, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.behave = behave
        self.tls = None
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*certificate)
        self.attempts = {}
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self.port = self.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.shutdown()
        self.server_close()

    def count(self, name):
        with self.lock:
            self.attempts[name] = self.attempts.get(name, 0) + 1
            return self.attempts[name]

    def handle_error(self, request, client_address):
        """That a peer has gone is what these tests are about."""


class Handler(socketserver.StreamRequestHandler):
    def setup(self):
        if self.server.tls:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self):
        while (event := self.take()) is not None:
            attempt = self.server.count(event.get("id"))
            if self.server.behave(Peer(self), event, attempt) is False:
                return

    def finish(self):
        super().finish()
        self.request.close()

    def take(self):
        """The event of the next request, or None."""
        length = 0
        if self.rfile.peek(1)[:1] == b"\x16":  # somebody speaks TLS, and we do not
            self.wfile.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            return None
        if not self.rfile.readline():
            return None
        while (line := self.rfile.readline().strip()):
            name, _, value = line.partition(b":")
            length = int(value) if name.lower() == b"content-length" else length
        return json.loads(self.rfile.read(length) or b"{}")


class Peer:
    """What a behaviour may do; one that answers False has the connection closed."""

    def __init__(self, handler):
        self.socket = handler.request
        self.ending = handler.server.ending

    def send(self, data):
        self.socket.sendall(data)

    def accept(self):
        self.send(ANSWER)

    def hang(self):
        """Until the other side has had enough, or the test is over."""
        self.socket.settimeout(0.1)
        while not self.ending.is_set():
            with contextlib.suppress(TimeoutError, ssl.SSLWantReadError):
                if not self.socket.recv(4096):
                    return False
        return False

    def send_for_ever(self, data, pause=0):
        while not self.ending.wait(pause):
            try:
                self.socket.sendall(data)
            except OSError:
                return False
        return False


