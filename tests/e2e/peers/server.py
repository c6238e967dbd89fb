"""Python's http.server for tests/e2e/peers_test.cpp: files, PUT and an echo. It serves on descriptor 3, where the test has put a
listening socket.

    server.py ROOT HTTP/1.0|HTTP/1.1
"""
import functools
import http.server
import os
import socket
import sys


class Handler(http.server.SimpleHTTPRequestHandler):
    # Head and body are sent apart: on a kept connection the body would wait 40 ms for the client's acknowledgement.
    disable_nagle_algorithm = True

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status, content):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self):
        self.answer(200, self.body())

    def do_PUT(self):
        with open(os.path.join(self.directory, "put", os.path.basename(self.path)), "wb") as file:
            file.write(self.body())
        self.answer(201, b"")

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


root, Handler.protocol_version = sys.argv[1:]
server = Server(("127.0.0.1", 0), functools.partial(Handler, directory=root), bind_and_activate=False)
server.socket.close()
server.socket = socket.socket(fileno=3)
server.serve_forever()
