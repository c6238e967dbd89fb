#include "tests/support/rogue_server.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>

namespace pollux::test {

namespace {

using namespace std::string_literals;

enum class Then { keep, close, reset };

struct Request {
  std::string method;
  std::string path;  // without the query
  std::string head;
  std::uint64_t number = 0;  // of its connection, from 1
  std::uint64_t body = 0;    // Content-Length
};

// One connection.
class Line {
 public:
  Line(int socket, int ends, std::uint16_t port) : socket_{socket}, ends_{ends}, port_{port} {}
  ~Line() { ::close(socket_); }
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  [[nodiscard]] std::uint16_t port() const { return port_; }

  // False if the client has gone or the server ends.
  bool send(std::string_view text) {
    while (!text.empty()) {
      if (!wait(POLLOUT, -1)) {
        return false;
      }
      const ssize_t size = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (size < 0) {
        return false;
      }
      text.remove_prefix(static_cast<std::size_t>(size));
    }
    return true;
  }
  bool send_slowly(std::string_view text, std::size_t piece, int pause_ms) {
    for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
      if (!send(text.substr(0, piece)) || !pause(pause_ms)) {
        return false;
      }
    }
    return true;
  }
  // Time passes; false if the client has closed, or the server ends.
  bool pause(int ms) {
    std::array<pollfd, 2> entries{pollfd{socket_, POLLRDHUP, 0}, pollfd{ends_, POLLIN, 0}};
    return ::poll(entries.data(), entries.size(), ms) == 0;
  }
  // Until the client has gone.
  void stay_silent() {
    while (pause(1000)) {
    }
  }
  bool read_head(Request& request) {
    std::size_t end = 0;
    while ((end = in_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive()) {
        return false;
      }
    }
    request.head = in_.substr(0, end + 4);
    in_.erase(0, end + 4);
    const std::size_t method_end = request.head.find(' ');
    const std::size_t path_end = request.head.find_first_of(" ?", method_end + 1);
    request.method = request.head.substr(0, method_end);
    request.path = request.head.substr(method_end + 1, path_end - method_end - 1);
    ++request.number;
    const std::size_t length = request.head.find("\r\nContent-Length: ");
    request.body = length == std::string::npos ? 0 : std::strtoull(request.head.c_str() + length + 18, nullptr, 10);
    return true;
  }
  bool read_body(const Request& request) {
    std::uint64_t left = request.body;
    for (;;) {
      const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(left, in_.size()));
      in_.erase(0, size);
      left -= size;
      if (left == 0) {
        return true;
      }
      if (!receive()) {
        return false;
      }
    }
  }
  void finish() { ::shutdown(socket_, SHUT_WR); }
  // Reads on until the client has closed too, so that nothing of the answer is lost to a reset.
  void linger() {
    finish();
    while (receive()) {
      in_.clear();
    }
  }
  // The close of this line, soon, will be a reset.
  void reset() {
    const linger_option now{1, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }

 private:
  using linger_option = struct ::linger;

  bool wait(short events, int ms) {
    std::array<pollfd, 2> entries{pollfd{socket_, events, 0}, pollfd{ends_, POLLIN, 0}};
    return ::poll(entries.data(), entries.size(), ms) > 0 && entries[1].revents == 0;
  }
  bool receive() {
    std::array<char, 65536> bytes;
    if (!wait(POLLIN, -1)) {
      return false;
    }
    const ssize_t size = ::recv(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (size <= 0) {
      return false;
    }
    in_.append(bytes.data(), static_cast<std::size_t>(size));
    return true;
  }

  int socket_;
  int ends_;
  std::uint16_t port_;
  std::string in_;
};

const std::string ok = "HTTP/1.1 200 OK\r\n";
const std::string hello = ok + "Content-Length: 5\r\n\r\nhello";
const std::string chunked = ok + "Transfer-Encoding: chunked\r\n\r\n";
const std::string length = ok + "Content-Length: ";
const std::string gzip = ok + "Content-Encoding: gzip\r\n";

// "hello, compressed world" (23 bytes).
const std::string packed =
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\xd7\x51\x48\xce\xcf\x2d\x28\x4a\x2d\x2e\x4e\x4d\x51"
    "\x28\xcf\x2f\xca\x49\x01\x00\x08\x9e\x34\x35\x17\x00\x00\x00"s;
// The beginning of a deflate block in which each zero byte that follows stands for 1,032 zero bytes.
const std::string bomb =
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xed\xc1\x01\x0d\x00\x00\x00\xc2\xa0\xf7\x4f\x6d\x0f\x07\x14"s;

std::string with_length(const std::string& head, const std::string& body) {
  return head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
std::string found(const std::string& location) {
  return "HTTP/1.1 302 Found\r\nLocation: " + location + "\r\nContent-Length: 3\r\n\r\nabc";
}

// Answers that are only a text.
struct Text {
  std::string answer;
  Then then = Then::keep;
};
const std::map<std::string, Text>& texts() {
  static const std::map<std::string, Text> all{
      {"/ok", {hello}},

      // Wrong lengths.
      {"/length-short", {length + "50\r\n\r\nhello", Then::close}},
      {"/length-long", {length + "5\r\n\r\nhello, and more"}},
      {"/length-differs", {length + "5\r\nContent-Length: 6\r\n\r\nhello!"}},
      {"/length-twice", {length + "5\r\nContent-Length: 5\r\n\r\nhello"}},
      {"/length-list", {length + "5, 5\r\n\r\nhello"}},
      {"/length-list-differs", {length + "5, 6\r\n\r\nhello!"}},
      {"/length-plus", {length + "+5\r\n\r\nhello"}},
      {"/length-minus", {length + "-5\r\n\r\nhello"}},
      {"/length-hex", {length + "0x5\r\n\r\nhello"}},
      {"/length-empty", {length + "\r\n\r\nhello", Then::close}},
      {"/length-huge", {length + "99999999999999999999\r\n\r\nhello"}},
      {"/length-largest", {length + "9223372036854775807\r\n\r\nhello", Then::close}},

      // Broken chunks.
      {"/chunk-bad-size", {chunked + "5\r\nhello\r\nzz\r\nhello\r\n0\r\n\r\n"}},
      {"/chunk-minus", {chunked + "5\r\nhello\r\n-5\r\nhello\r\n0\r\n\r\n"}},
      {"/chunk-no-crlf", {chunked + "5\r\nhelloworld\r\n0\r\n\r\n"}},
      {"/chunk-cut", {chunked + "a\r\nhello", Then::close}},
      {"/chunk-no-end", {chunked + "5\r\nhello\r\n", Then::close}},
      {"/chunk-cut-end", {chunked + "5\r\nhello\r\n0\r\n", Then::close}},
      {"/chunk-overflow", {chunked + "5\r\nhello\r\n10000000000000005\r\nhello\r\n0\r\n\r\n"}},
      {"/chunk-largest", {chunked + "5\r\nhello\r\n7fffffffffffffff\r\nhello", Then::close}},
      {"/chunk-giant-extension", {chunked + "5;" + std::string(200'000, 'x') + "\r\nhello\r\n0\r\n\r\n"}},
      {"/chunk-extension", {chunked + "5;a=\"b\"\r\nhello\r\n0;c\r\n\r\n"}},
      {"/chunk-upper-case", {chunked + "0000A\r\nhellohello\r\n00\r\n\r\n"}},
      {"/chunk-trailer", {chunked + "5\r\nhello\r\n0\r\nX-A: 1\r\nX-B: 2\r\n\r\n"}},
      {"/chunk-trailer-length", {chunked + "5\r\nhello\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\n\r\n"}},
      {"/chunk-bad-trailer", {chunked + "5\r\nhello\r\n0\r\nno colon\r\n\r\n"}},
      {"/chunk-giant-trailer", {chunked + "5\r\nhello\r\n0\r\nX: " + std::string(200'000, 'x') + "\r\n\r\n"}},
      {"/chunk-and-length", {ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"}},
      {"/chunk-twice", {ok + "Transfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"}},
      {"/coding-unknown", {ok + "Transfer-Encoding: odd\r\n\r\nhello", Then::close}},

      // Heads.
      {"/interim-some",
       {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" +
        hello}},
      {"/interim-only", {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", Then::close}},
      {"/head-large", {ok + "X-Large: " + std::string(30'000, 'x') + "\r\nContent-Length: 5\r\n\r\nhello"}},
      {"/head-giant", {ok + "X-Giant: " + std::string(500'000, 'x') + "\r\nContent-Length: 5\r\n\r\nhello"}},
      {"/head-cut", {ok + "Content-Le", Then::close}},
      {"/head-lf", {"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"}},
      {"/head-nul", {ok + "X: a\0b\r\nContent-Length: 5\r\n\r\nhello"s}},
      {"/head-fold", {ok + "X-Folded: a\r\n  b\r\n\tc\r\nContent-Length: 5\r\n\r\nhello"}},
      {"/head-no-colon", {ok + "nonsense\r\nContent-Length: 5\r\n\r\nhello"}},
      {"/head-no-name", {ok + ": x\r\nContent-Length: 5\r\n\r\nhello"}},
      {"/head-no-reason", {"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello"}},
      {"/head-8-bit", {"HTTP/1.1 200 \xe4\xf6\xfc\r\nX: \xe4\xf6\xfc\r\nContent-Length: 5\r\n\r\nhello"}},
      {"/status-text", {"HTTP/1.1 abc OK\r\nContent-Length: 5\r\n\r\nhello", Then::close}},
      {"/status-1000", {"HTTP/1.1 1000 OK\r\nContent-Length: 5\r\n\r\nhello", Then::close}},
      {"/version-9", {"HTTP/9.9 200 OK\r\nContent-Length: 5\r\n\r\nhello", Then::close}},
      {"/http09", {"hello, said without a head", Then::close}},
      {"/http10", {"HTTP/1.0 200 OK\r\n\r\nhello", Then::close}},
      {"/http10-length", {"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"}},
      {"/http10-keep", {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello"}},
      {"/switch", {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello", Then::close}},

      // Redirects.
      {"/loop", {found("/loop")}},
      {"/loop-a", {found("/loop-b")}},
      {"/loop-b", {found("/loop-a?x")}},
      {"/to-relative", {found("deep/../ok")}},
      {"/to-query", {found("/ok?a=b")}},
      {"/to-fragment", {found("/ok#there")}},
      {"/to-nowhere", {"HTTP/1.1 302 Found\r\nContent-Length: 3\r\n\r\nabc"}},
      {"/to-blank", {found("")}},
      {"/to-broken", {found("http://[::1/")}},
      {"/to-port", {found("http://127.0.0.1:99999/")}},
      {"/to-ftp", {found("ftp://127.0.0.1/")}},
      {"/to-file", {found("file:///etc/passwd")}},
      {"/to-cut", {"HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 30\r\n\r\nabc", Then::close}},

      // Codings.
      {"/gzip", {with_length(gzip, packed)}},
      {"/gzip-corrupt", {with_length(gzip, packed.substr(0, 14) + "\xff\xff\xff" + packed.substr(17))}},
      {"/gzip-no-gzip", {with_length(gzip, "hello")}},
      {"/gzip-bad-check", {with_length(gzip, packed.substr(0, 36) + "\x01" + packed.substr(37))}},
      {"/gzip-truncated", {with_length(gzip, packed.substr(0, 25))}},
      {"/gzip-cut", {gzip + "Content-Length: 43\r\n\r\n" + packed.substr(0, 25), Then::close}},
      {"/gzip-bomb", {with_length(gzip, bomb + std::string(100'000, '\0'))}},
      {"/gzip-unknown", {with_length(ok + "Content-Encoding: odd\r\n", "hello")}},

      // Too much, or in the wrong place.
      {"/stray", {hello + "stray"}},
      {"/two-answers", {hello + length + "5\r\n\r\nwrong"}},
      {"/204-body", {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"}},
      {"/204", {"HTTP/1.1 204 No Content\r\n\r\n"}},
      {"/205", {"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"}},
      {"/304-length", {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"}},

      // Ends.
      {"/until-close", {ok + "\r\nhello", Then::close}},
      {"/says-close", {ok + "Connection: close\r\nContent-Length: 5\r\n\r\nhello", Then::close}},
      {"/says-close-and-stays", {ok + "Connection: Close\r\nContent-Length: 5\r\n\r\nhello"}},
      {"/close-behind", {hello, Then::close}},
      {"/408-behind", {hello + "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n", Then::close}},
      {"/empty", {"", Then::close}},
      {"/reset", {"", Then::reset}},
  };
  return all;
}

// What takes more than a text.
using Play = Then (*)(Line& line, const Request& request);
const std::map<std::string, Play>& plays() {
  static const std::map<std::string, Play> all{
      {"/interim-flood",
       [](Line& line, const Request&) {
         while (line.send("HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n")) {
         }
         return Then::close;
       }},
      {"/fields-flood",
       [](Line& line, const Request&) {
         for (bool goes = line.send(ok); goes;) {
           goes = line.send("A: b\r\n");
         }
         return Then::close;
       }},
      {"/head-endless",
       [](Line& line, const Request&) {
         const std::string piece(10'000, 'x');
         for (bool goes = line.send(ok + "X: "); goes;) {
           goes = line.send(piece);
         }
         return Then::close;
       }},
      {"/body-endless",
       [](Line& line, const Request&) {
         const std::string piece(10'000, 'x');
         for (bool goes = line.send(ok + "\r\n"); goes;) {
           goes = line.send(piece);
         }
         return Then::close;
       }},
      {"/chunks-endless",
       [](Line& line, const Request&) {
         for (bool goes = line.send(chunked); goes;) {
           goes = line.send("5\r\nhello\r\n");
         }
         return Then::close;
       }},
      {"/trailer-endless",
       [](Line& line, const Request&) {
         for (bool goes = line.send(chunked + "5\r\nhello\r\n0\r\n"); goes;) {
           goes = line.send("X-T: 1\r\n");
         }
         return Then::close;
       }},
      {"/drip", [](Line& line, const Request&) { return line.send_slowly(hello, 1, 2) ? Then::keep : Then::close; }},
      {"/drip-endless",
       [](Line& line, const Request&) {
         for (bool goes = line.send(ok + "\r\n"); goes;) {
           goes = line.send_slowly("x", 1, 20);
         }
         return Then::close;
       }},
      {"/silence",
       [](Line& line, const Request&) {
         line.stay_silent();
         return Then::close;
       }},
      {"/silence-in-head",
       [](Line& line, const Request&) {
         static_cast<void>(line.send(ok + "Content-Le"));
         line.stay_silent();
         return Then::close;
       }},
      {"/silence-in-body",
       [](Line& line, const Request&) {
         static_cast<void>(line.send(length + "10\r\n\r\nhello"));
         line.stay_silent();
         return Then::close;
       }},
      {"/reset-in-body",
       [](Line& line, const Request&) {
         static_cast<void>(line.send(length + "50\r\n\r\nhello"));
         static_cast<void>(line.pause(50));  // what was sent is read before the reset drops it
         return Then::reset;
       }},
      // The first request of a connection is answered, the second one not.
      {"/close-at-reuse",
       [](Line& line, const Request& request) {
         return request.number > 1 || !line.read_body(request) || !line.send(hello) ? Then::close : Then::keep;
       }},
      {"/reset-at-reuse",
       [](Line& line, const Request& request) {
         return request.number > 1 || !line.read_body(request) || !line.send(hello) ? Then::reset : Then::keep;
       }},
      {"/half-head-at-reuse",
       [](Line& line, const Request& request) {
         if (request.number > 1) {
           static_cast<void>(line.send("HTTP/1.1 2"));
           return Then::close;
         }
         return line.send(hello) ? Then::keep : Then::close;
       }},
      // Answers while the body is on its way.
      {"/early",
       [](Line& line, const Request&) {
         static_cast<void>(
             line.send("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig"));
         line.linger();
         return Then::close;
       }},
      {"/early-reset",
       [](Line& line, const Request&) {
         static_cast<void>(
             line.send("HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig"));
         return Then::close;  // with unread bytes: the kernel sends a reset behind it
       }},
      {"/early-keep",
       [](Line& line, const Request& request) {
         static_cast<void>(line.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno"));
         return line.read_body(request) ? Then::keep : Then::close;
       }},
      {"/417",
       [](Line& line, const Request& request) {
         if (request.head.find("\r\nExpect: 100-continue\r\n") == std::string::npos) {
           return line.read_body(request) && line.send(hello) ? Then::keep : Then::close;
         }
         static_cast<void>(
             line.send("HTTP/1.1 417 Expectation Failed\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
         line.linger();
         return Then::close;
       }},
      // Our direction ends before the answer of a client that still sends.
      {"/half-close",
       [](Line& line, const Request& request) {
         static_cast<void>(line.send(ok + "\r\nhello"));
         line.finish();
         static_cast<void>(line.read_body(request));
         static_cast<void>(line.pause(2000));
         return Then::close;
       }},
      {"/head-with-body", [](Line& line, const Request&) { return line.send(hello) ? Then::keep : Then::close; }},
  };
  return all;
}

}  // namespace

RogueServer::RogueServer() : listener_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) != 0 || ::listen(listener_, 64) != 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0 || ::pipe2(ends_, O_CLOEXEC) != 0) {
    std::perror("RogueServer");
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread{[this] { accept(); }};
}

RogueServer::~RogueServer() {
  static_cast<void>(::write(ends_[1], "x", 1));
  acceptor_.join();
  for (std::thread& thread : threads_) {
    thread.join();
  }
  ::close(listener_);
  ::close(ends_[0]);
  ::close(ends_[1]);
}

std::string RogueServer::url(std::string_view path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + std::string{path};
}

std::vector<std::string> RogueServer::paths() {
  std::vector<std::string> all;
  for (const auto& [path, text] : texts()) {
    all.push_back(path);
  }
  for (const auto& [path, play] : plays()) {
    all.push_back(path);
  }
  return all;
}

void RogueServer::accept() {
  for (;;) {
    std::array<pollfd, 2> entries{pollfd{listener_, POLLIN, 0}, pollfd{ends_[0], POLLIN, 0}};
    if (::poll(entries.data(), entries.size(), -1) <= 0 || entries[1].revents != 0) {
      return;
    }
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket >= 0) {
      ++connections_;
      threads_.emplace_back([this, socket] { serve(socket); });
    }
  }
}

void RogueServer::serve(int socket) {
  Line line{socket, ends_[0], port_};
  Request request;
  Then then = Then::keep;
  while (then == Then::keep && line.read_head(request)) {
    ++requests_;
    const auto play = plays().find(request.path);
    if (play != plays().end()) {
      then = play->second(line, request);
      continue;
    }
    const auto text = texts().find(request.path);
    if (!line.read_body(request)) {
      return;
    }
    if (text == texts().end()) {
      then = line.send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") ? Then::keep : Then::close;
      continue;
    }
    then = text->second.then;
    std::string_view answer = text->second.answer;
    if (request.method == "HEAD") {
      answer = answer.substr(0, answer.find("\r\n\r\n") + 4);
    }
    if (!line.send(answer)) {
      return;
    }
  }
  if (then == Then::reset) {
    line.reset();
  }
}

}  // namespace pollux::test
