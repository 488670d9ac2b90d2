"""A WebSocket client of Python's standard library alone: it shakes hands and makes its frames by itself (RFC 6455).

    python3 pythonClient.py PORT MODE

MODE is what it does once it is connected. What it does and hears is told as lines of JSON, in order.
"""
import base64
import hashlib
import json
import os
import socket
import struct
import sys

TEXT, BYTES, CLOSE, PING, PONG = 1, 2, 8, 9, 10
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def tell(**what):
    print(json.dumps(what), flush=True)


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.heard = b""
        key = base64.b64encode(os.urandom(16))
        self.socket.sendall(
            b"GET /python HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + key + b"\r\n\r\n"
        )
        while b"\r\n\r\n" not in self.heard:
            self.heard += self.socket.recv(4096)
        head, self.heard = self.heard.split(b"\r\n\r\n", 1)
        lines = head.decode("latin1").split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        tell(status=lines[0], accepted=headers.get("sec-websocket-accept") == accept)

    def frame(self, opcode, payload=b""):
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        length = len(payload)
        if length < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | length)
        elif length < 65536:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, length)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, length)
        return head + mask + masked

    def send(self, opcode, payload=b""):
        self.socket.sendall(self.frame(opcode, payload))

    def close(self, code, reason=""):
        self.send(CLOSE, struct.pack("!H", code) + reason.encode())

    def read(self, count):
        while len(self.heard) < count:
            some = self.socket.recv(65536)
            if some == b"":
                raise EOFError
            self.heard += some
        result, self.heard = self.heard[:count], self.heard[count:]
        return result

    def next(self):
        """The next frame: its opcode and payload."""
        first, second = self.read(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self.read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self.read(8))
        assert first & 0x80, "a server of ours sends no fragments"
        assert not second & 0x80, "a server does not mask"
        return first & 0x0F, self.read(length)

    def goodbye(self):
        """Reads to the close frame, and tells what it says."""
        while True:
            opcode, payload = self.next()
            if opcode == CLOSE:
                code = struct.unpack("!H", payload[:2])[0] if payload else None
                tell(goodbye=code, reason=payload[2:].decode())
                return code
            tell(message=payload.decode())

    def end(self):
        """Reads on to the end of the stream, with its own side open, and tells how it came."""
        try:
            rest = b""
            while True:
                some = self.socket.recv(65536)
                if some == b"":
                    break
                rest += some
            tell(end="FIN", behind=len(self.heard + rest))
        except ConnectionResetError:
            tell(end="RST")
        self.socket.close()


def answers(client):
    client.send(TEXT, b"hello")
    code = client.goodbye()
    client.close(code)
    tell(answered=code)
    client.end()


def mute(client):
    client.goodbye()
    client.end()


def says(client):
    client.close(4000, "bye")
    client.goodbye()
    client.end()


def cut(client):
    """Half of a message, and FIN."""
    half = client.frame(TEXT, b"half of it")[:9]
    client.socket.sendall(client.frame(TEXT, b"whole") + half)
    client.socket.shutdown(socket.SHUT_WR)
    tell(message=client.next()[1].decode())
    client.end()


def gone(client):
    """Half of a message, and RST."""
    client.send(TEXT, b"whole")
    tell(message=client.next()[1].decode())
    client.socket.sendall(client.frame(TEXT, b"half of it")[:9])
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.socket.close()


def echo(client):
    """Every size at which the head of a frame changes, as text and as bytes, and a ping."""
    for size in (0, 1, 125, 126, 65535, 65536, 200000):
        for opcode in (TEXT, BYTES):
            client.send(opcode, b"x" * size)
            assert client.next() == (opcode, b"x" * size), size
    client.send(PING, b"are you there?")
    assert client.next() == (PONG, b"are you there?")
    tell(echoed=True)
    client.close(1000)
    client.goodbye()
    client.end()


if __name__ == "__main__":
    port, mode = sys.argv[1:]
    {"answers": answers, "mute": mute, "says": says, "cut": cut, "gone": gone, "echo": echo}[mode](Client(int(port)))
