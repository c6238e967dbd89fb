// Origin: a raw web server that moves by itself, as a service of the simulated network. What it does is said by the path:
//
//   /                a sized answer            /chunked   a chunked one with a trailer    /large   3,000 bytes
//   /interim         103 and then a sized one  /close     until the connection ends       /empty   204
//   /refuse          413 and the end as soon as the head is there, without the body
//   /early           401 as soon as the head is there; the body is read all the same, and the connection lives
//   /stale           the end without a word, unless it is the first request of its connection
//   /cut             half an answer and the end   /reset   half an answer and a reset      /silent  nothing
//
// A request with Expect gets its 100 (but not from /refuse and /early). CONNECT and SOCKS5 are answered with a tunnel to itself. Bytes it
// did not understand, and bodies that are not the letters they should be, are counted.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "port/sim/sim_network.hpp"
#include "tests/support/heap_guard.hpp"

namespace pollux::test {

// What bodies of requests to an Origin are made of.
constexpr char body_byte(std::uint64_t at) {
  return static_cast<char>('a' + at % 26);
}

class Origin {
 public:
  Origin(port::SimNetwork& network, std::uint16_t port)
      : network_{network}, listener_{network.listen({.address = port::Address::ipv4_loopback(port)})} {
    network_.add_service(&Origin::turn, this);
  }
  ~Origin() { network_.remove_service(this); }
  Origin(const Origin&) = delete;
  Origin& operator=(const Origin&) = delete;

  [[nodiscard]] std::uint64_t requests() const { return requests_; }      // complete ones
  [[nodiscard]] std::uint64_t bad_bodies() const { return bad_bodies_; }  // complete ones with other bytes
  // Requests that are none. A request may be cut short by its end, but not be wrong.
  [[nodiscard]] std::uint64_t nonsense() const { return nonsense_; }

 private:
  enum class Stage : std::uint8_t { head, sized, chunk_head, chunk, chunk_end, deaf };
  struct Session {
    port::SimPeer peer;
    std::string in;
    std::string out;
    std::string path;
    Stage stage = Stage::head;
    std::uint64_t left = 0;   // bytes of the body, or of the chunk
    std::uint64_t at = 0;     // bytes of the body so far
    std::uint64_t count = 0;  // requests
    bool is_bad_body = false;
    bool is_answered = false;  // before its body
    bool greeted = false;      // SOCKS5
    bool finishes = false;     // behind what is in `out`
    bool resets = false;
  };

  static port::Time turn(void* self) {
    const heap_guard::Allowed its_own;
    static_cast<Origin*>(self)->move();
    return port::never;
  }
  void move() {
    while (listener_.waiting() != 0) {
      sessions_.emplace_back().peer = listener_.accept();
    }
    for (Session& session : sessions_) {
      serve(session);
    }
    std::erase_if(sessions_, [](const Session& session) { return !session.peer.is_open(); });
  }

  void serve(Session& session) {
    std::array<char, 1024> bytes;
    while (const std::size_t size = session.peer.receive(bytes)) {
      session.in.append(bytes.data(), size);
    }
    while (read(session)) {
    }
    session.out.erase(0, session.peer.send(session.out));
    if (session.peer.saw_failure() || session.peer.saw_finish()) {
      session.peer.close();
    } else if (session.out.empty() && session.resets) {
      session.peer.reset();
    } else if (session.out.empty() && session.finishes) {
      session.peer.finish();
      session.finishes = false;
    }
  }

  // Takes the next part of a request; false if it has not come.
  bool read(Session& session) {
    std::string& in = session.in;
    switch (session.stage) {
      case Stage::head:
        return !in.empty() && (in[0] == '\5' || session.greeted ? read_socks(session) : read_head(session));
      case Stage::sized:
      case Stage::chunk: {
        const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), session.left));
        for (std::size_t i = 0; i < size; ++i) {
          session.is_bad_body = session.is_bad_body || in[i] != body_byte(session.at++);
        }
        in.erase(0, size);
        session.left -= size;
        if (session.left != 0) {
          return false;
        }
        if (session.stage == Stage::chunk) {
          session.stage = Stage::chunk_end;
        } else {
          request_over(session);
        }
        return true;
      }
      case Stage::chunk_end:
        if (in.size() < 2) {
          return false;
        }
        nonsense_ += in.starts_with("\r\n") ? 0 : 1;
        in.erase(0, 2);
        session.stage = Stage::chunk_head;
        return true;
      case Stage::chunk_head: {
        const std::size_t end = in.find("\r\n");
        if (end == std::string::npos) {
          return false;
        }
        session.left = std::stoull("0" + in.substr(0, end), nullptr, 16);
        session.stage = Stage::chunk;
        if (session.left == 0) {
          const std::size_t trailer_end = in.find("\r\n\r\n", end);
          if (trailer_end == std::string::npos) {
            session.stage = Stage::chunk_head;
            return false;
          }
          in.erase(0, trailer_end + 4);
          request_over(session);
          return true;
        }
        in.erase(0, end + 2);
        return true;
      }
      case Stage::deaf:
        break;
    }
    in.clear();
    return false;
  }

  bool read_head(Session& session) {
    const std::size_t end = session.in.find("\r\n\r\n");
    if (end == std::string::npos) {
      return false;
    }
    const std::string head = session.in.substr(0, end + 2);
    session.in.erase(0, end + 4);
    const std::size_t method_end = head.find(' ');
    const std::size_t path_end = head.find(' ', method_end + 1);
    if (path_end == std::string::npos || !head.substr(path_end).starts_with(" HTTP/1.1\r\nHost: ")) {
      ++nonsense_;
      session.stage = Stage::deaf;
      return false;
    }
    const std::string_view method{head.data(), method_end};
    if (method == "CONNECT") {
      session.out += "HTTP/1.1 200 Connected\r\n\r\n";
      return true;
    }
    session.path = head.substr(method_end + 1, path_end - method_end - 1);
    if (session.path.starts_with("http://")) {  // through a proxy
      session.path.erase(0, session.path.find('/', 7));
    }
    session.at = session.left = 0;
    session.is_bad_body = session.is_answered = false;
    ++session.count;
    if (session.path == "/refuse" || session.path == "/early") {
      answer(session);
    } else if (head.find("\r\nExpect: 100-continue\r\n") != std::string::npos) {
      session.out += "HTTP/1.1 100 Continue\r\n\r\n";
    }
    if (session.stage == Stage::deaf) {
      return false;
    }
    const std::size_t length = head.find("\r\nContent-Length: ");
    if (head.find("\r\nTransfer-Encoding: chunked\r\n") != std::string::npos) {
      session.stage = Stage::chunk_head;
    } else if (length != std::string::npos) {
      session.left = std::stoull(head.substr(length + 18));
      session.stage = Stage::sized;
    } else {
      request_over(session);
    }
    return true;
  }

  // RFC 1928: no authentication, any command, any address. The tunnel leads here.
  bool read_socks(Session& session) {
    std::string& in = session.in;
    if (!session.greeted) {
      if (in.size() < 2 || in.size() < 2U + static_cast<unsigned char>(in[1])) {
        return false;
      }
      in.erase(0, 2U + static_cast<unsigned char>(in[1]));
      session.out += std::string_view{"\5\0", 2};
      session.greeted = true;
      return true;
    }
    if (in.size() < 5) {
      return false;
    }
    const std::size_t size = in[3] == 1 ? 10 : in[3] == 4 ? 22 : 7U + static_cast<unsigned char>(in[4]);
    if (in.size() < size) {
      return false;
    }
    in.erase(0, size);
    session.out += std::string_view{"\5\0\0\1\0\0\0\0\0\0", 10};
    session.greeted = false;
    return true;
  }

  void request_over(Session& session) {
    ++requests_;
    bad_bodies_ += session.is_bad_body ? 1 : 0;
    session.stage = Stage::head;
    if (!session.is_answered) {
      answer(session);
    }
  }

  void answer(Session& session) {
    const std::string& path = session.path;
    std::string& out = session.out;
    session.is_answered = true;
    if (path == "/chunked") {
      out += "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n400\r\n" +
             std::string(1024, 'x') + "\r\n0\r\nX-Sum: 1\r\n\r\n";
    } else if (path == "/large") {
      out += "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + std::string(3000, 'l');
    } else if (path == "/interim") {
      out += "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
    } else if (path == "/close") {
      out += "HTTP/1.1 200 OK\r\n\r\nabc";
      end(session);
    } else if (path == "/empty") {
      out += "HTTP/1.1 204 No Content\r\n\r\n";
    } else if (path == "/refuse") {
      out += "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno";
      end(session);
    } else if (path == "/early") {
      out += "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno";
    } else if (path == "/stale" && session.count > 1) {
      end(session);
    } else if (path == "/cut" || path == "/reset") {
      out += "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
      end(session);
      session.resets = path == "/reset";
    } else if (path == "/silent") {
      session.stage = Stage::deaf;
    } else {
      out += "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
    }
  }
  static void end(Session& session) {
    session.finishes = true;
    session.stage = Stage::deaf;
  }

  port::SimNetwork& network_;
  port::SimPeerListener listener_;
  std::deque<Session> sessions_;
  std::uint64_t requests_ = 0;
  std::uint64_t bad_bodies_ = 0;
  std::uint64_t nonsense_ = 0;
};

}  // namespace pollux::test
