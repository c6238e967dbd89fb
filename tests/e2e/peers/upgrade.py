"""A client that has its connection upgraded to an echo, for tests/e2e/tls_peers_test.cpp: sends and receives at the same time over TLS.

    upgrade.py CA PORT VERSION SIZE     1.2 or 1.3; exit status 0: SIZE bytes came back as they were sent
"""
import os
import select
import socket
import ssl
import sys

ca, port, version, size = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
context = ssl.create_default_context(cafile=ca)
context.maximum_version = ssl.TLSVersion.TLSv1_2 if version == "1.2" else ssl.TLSVersion.TLSv1_3
stream = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 20), server_hostname="localhost")
stream.sendall(b"GET /upgrade HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
head = b""
while not head.endswith(b"\r\n\r\n"):
    byte = stream.recv(1)
    if not byte:
        sys.exit("no answer: %r" % head)
    head += byte
if not head.startswith(b"HTTP/1.1 101 "):
    sys.exit("not upgraded: %r" % head)

data = os.urandom(size)
sent, received = 0, bytearray()
stream.setblocking(False)
blocked = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
while len(received) < size:
    readable, writable, _ = select.select([stream], [stream] if sent < size else [], [], 20)
    if not readable and not writable:
        sys.exit("nothing moves: %d sent, %d received" % (sent, len(received)))
    try:
        piece = stream.recv(65536)
        if not piece:
            sys.exit("ended after %d" % len(received))
        received += piece
    except blocked:
        pass
    try:
        sent += stream.send(data[sent:sent + 8192]) if sent < size else 0
    except blocked:
        pass
sys.exit(0 if received == data else "other bytes came back")
