"""Stands between a client and Weir, and keeps what the client sent, request by request."""

import socket
import threading


class Relay:
    """A port of loopback whose connections go on to `port`.

    No client asked here sends a request before the last one is answered, so what comes before
    the first byte of an answer is one request.
    """

    def __init__(self, port: int) -> None:
        self.requests: list[bytes] = []
        self._to = port
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port = self._door.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._door.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._door.accept()
            except OSError:  # it is closed
                return
            server = socket.create_connection(("127.0.0.1", self._to))
            sent: list[bytes] = []
            for here, there, note in ((client, server, sent.append), (server, client, None)):
                args = (here, there, note, sent)
                threading.Thread(target=self._pass_on, args=args, daemon=True).start()

    def _pass_on(self, here: socket.socket, there: socket.socket, note, sent: list[bytes]) -> None:
        while content := here.recv(1 << 16):
            if note is not None:
                note(content)
            elif sent:
                self.requests.append(b"".join(sent))
                sent.clear()
            there.sendall(content)
        there.shutdown(socket.SHUT_WR)
