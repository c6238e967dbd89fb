// What both limits do with a connection: the least a server can do and still be taken for one. It looks for the ends of heads and sends a
// constant for each, all those of one receive in one send. It checks nothing, knows no date and no routes, and gives up on a client that
// does not read its answers. Nothing of pollux is in here, so that the comparison cannot favour it.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>

namespace limit {

// As long as the answer of pollux-hello to GET /hello; tests/bench/run checks that they still are.
inline constexpr std::string_view answer =
    "HTTP/1.1 200 OK\r\n"
    "Date: Tue, 10 Nov 2009 23:00:00 GMT\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Length: 13\r\n"
    "\r\n"
    "Hello, world!";

inline constexpr std::size_t connections_max = 2048;
inline constexpr std::size_t head_size_max = 4096;

struct Connection {
  std::size_t used = 0;  // bytes of an unfinished head at the start of `in`
  std::array<char, head_size_max> in;
};

// By descriptor number: the kernel gives the lowest free one, so this is dense. Made on a connection's first use, kept for the next one.
class Connections {
 public:
  // nullptr: no room for this descriptor.
  Connection* open(int descriptor);
  Connection& at(int descriptor) { return *slots_[static_cast<std::size_t>(descriptor)]; }

 private:
  std::array<std::unique_ptr<Connection>, connections_max + 64> slots_;
};

// Listens on 127.0.0.1, any port, and prints "listening on http://127.0.0.1:PORT". Ends the program if that does not work.
int listen_on_loopback(const char* scheme = "http");

// The next connection that waits, non-blocking and without Nagle's delay; -1: none.
int accept_next(int listener);

// Receives once and answers every head that is complete. false: the connection is over, the caller closes it.
bool serve(int descriptor, Connection& connection);

}  // namespace limit
