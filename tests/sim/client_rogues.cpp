#include "tests/sim/client_rogues.hpp"

#include <array>
#include <string_view>

#include "stack/base/text.hpp"

namespace pollux::test {

namespace {

using namespace std::chrono_literals;

std::string sized(std::string_view line, std::string_view body, bool is_head, std::string_view fields = "") {
  return std::string{line} + "\r\n" + std::string{fields} + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + (is_head ? "" : std::string{body});
}

}  // namespace

void Rogue::calm_down() {
  for (Session& session : sessions_) {
    session.is_deaf = true;
    session.end = End::none;
    session.out.clear();
    if (random_.chance(0.3)) {
      session.peer.reset();  // a mere end could be the end of a body
    }
  }
  is_calm_ = true;
}

void Rogue::act() {
  while (listener_.waiting() != 0 && random_.chance(0.9)) {
    Session& session = sessions_.emplace_back();
    session.peer = listener_.accept();
    session.reads_slowly = random_.chance(0.1);
    session.is_deaf = is_calm_;
    if (random_.chance(0.05)) {
      session.peer.close();
    }
  }
  for (Session& session : sessions_) {
    serve(session);
  }
  std::erase_if(sessions_, [](const Session& session) { return !session.peer.is_open(); });
}

void Rogue::serve(Session& session) {
  if (session.peer.saw_failure()) {
    session.peer.close();
    return;
  }
  std::array<char, 2048> bytes;
  const std::size_t most = session.reads_slowly ? 20 : bytes.size();
  if (!session.reads_slowly || random_.chance(0.2)) {
    session.in.append(bytes.data(), session.peer.receive(std::span{bytes}.first(most)));
  }
  if (session.peer.saw_finish() && session.out.empty()) {
    session.peer.close();
    return;
  }
  if (network_.now() < session.sleeps_until) {
    return;
  }
  if (session.out.empty() && session.end == End::none) {
    read(session);
  }
  session.out.erase(0, session.peer.send(std::string_view{session.out}.substr(0, session.piece)));
  if (!session.out.empty() || session.end == End::none) {
    return;
  }
  switch (session.end) {
    case End::finish:
      session.peer.finish();
      break;
    case End::close:
      session.peer.close();
      break;
    case End::reset:
      session.peer.reset();
      break;
    case End::lose:
      session.peer.lose();
      break;
    case End::none:
      break;
  }
  session.end = End::none;
  session.is_deaf = true;
}

// Understands as much of a request as it needs to find the next one.
void Rogue::read(Session& session) {
  std::string& in = session.in;
  if (session.is_deaf) {
    in.clear();
    return;
  }
  if (session.skip != 0) {
    const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(session.skip, in.size()));
    in.erase(0, size);
    session.skip -= size;
  }
  if (session.skips_chunks) {
    const std::size_t last = in.find("\r\n0\r\n");
    const std::size_t end = last == std::string::npos ? last : in.find("\r\n\r\n", last + 2);
    if (end == std::string::npos) {
      return;
    }
    in.erase(0, end + 4);
    session.skips_chunks = false;
  }
  const std::size_t end = in.find("\r\n\r\n");
  if (session.skip != 0 || end == std::string::npos) {
    return;
  }
  const std::string head = in.substr(0, end + 2);
  in.erase(0, end + 4);
  const std::size_t path = head.find("/rogue/");
  const std::string_view method{head.data(), head.find(' ')};
  std::uint64_t number = 0;
  for (std::size_t i = path + 7; path != std::string::npos && head[i] >= '0' && head[i] <= '9'; ++i) {
    number = number * 10 + static_cast<std::uint64_t>(head[i] - '0');
  }
  const std::size_t length = head.find("\r\nContent-Length: ");
  if (length != std::string::npos) {
    session.skip = std::stoull(head.substr(length + 18));
  }
  if (head.find("\r\nTransfer-Encoding: chunked\r\n") != std::string::npos) {
    session.skips_chunks = true;
    in.insert(0, "\r\n");  // what stands before the first size
  }
  if (head.find("\r\nExpect:") != std::string::npos && random_.chance(0.7)) {
    session.out += "HTTP/1.1 100 Continue\r\n\r\n";
  }
  ++requests_;
  answer(session, number, method, head.find("\r\nAccept-Encoding: gzip\r\n") != std::string::npos);
}

void Rogue::answer(Session& session, std::uint64_t number, std::string_view method, bool takes_gzip) {
  const bool is_head = method == "HEAD";
  std::string body = rogue_text(number);
  std::string coding;
  if (takes_gzip && random_.chance(0.7)) {
    coding = "Content-Encoding: gzip\r\n";
    body = gzip_of(body);
    if (random_.chance(0.1)) {
      body[body.size() - 7] = static_cast<char>(body[body.size() - 7] ^ 1);  // the check is wrong
    } else if (random_.chance(0.1)) {
      body.resize(body.size() - 1 - random_.below(8));
    }
  }
  const std::string right = sized("HTTP/1.1 200 OK", body, is_head, coding);
  std::string& out = session.out;
  session.piece = random_.chance(0.3) ? 1 + random_.below(200) : SIZE_MAX;
  if (random_.chance(0.2)) {
    session.sleeps_until = network_.now() + port::Duration{random_.below(3'000'000'000)};
  }
  const auto end_somehow = [&] { return static_cast<End>(1 + random_.below(4)); };
  switch (random_.below(40)) {
    case 0: {  // chunked
      out += "HTTP/1.1 200 OK\r\n" + coding + "Transfer-Encoding: chunked\r\n\r\n";
      for (std::size_t at = 0; at < body.size() && !is_head;) {
        const auto size = static_cast<std::size_t>(1 + random_.below(100));
        const std::string piece = body.substr(at, size);
        std::array<char, 24> line;
        out.append(line.data(),
                   static_cast<std::size_t>(std::snprintf(line.data(), line.size(), "%zx\r\n", piece.size())));
        out += piece + "\r\n";
        at += piece.size();
      }
      out += is_head ? "" : random_.chance(0.5) ? "0\r\n\r\n" : "0\r\nX-End: 1\r\n\r\n";
      return;
    }
    case 1:  // until the end
      out += "HTTP/1.1 200 OK\r\n" + coding + "\r\n" + (is_head ? "" : body);
      session.end = random_.chance(0.5) || is_head ? End::finish : End::close;
      return;
    case 2:  // cut
      out += right.substr(0, random_.below(right.size()));
      session.end = end_somehow();
      return;
    case 3:
      out += "HTTP/1.1 200 OK\r\n" + coding + "Transfer-Encoding: chunked\r\n\r\n3\r\n" + body.substr(0, 3) + "\r\n";
      session.end = end_somehow();
      return;
    case 4: {
      std::string garbage(random_.below(300), '\0');
      for (char& c : garbage) {
        c = static_cast<char>(random_.below(256));
      }
      out += garbage;
      session.end = random_.chance(0.5) ? End::none : End::close;
      return;
    }
    case 5:  // silence
      session.is_deaf = true;
      return;
    case 6:
      for (std::uint64_t i = random_.below(30); i > 0; --i) {
        out += "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
      }
      out += right;
      return;
    case 7:
      out += right + "stray bytes\r\n\r\n";
      return;
    case 8:  // more is announced than comes
      out += sized("HTTP/1.1 200 OK", body + "0123456789", true, coding) + body;
      session.end = End::finish;
      return;
    case 9:
      out += random_.chance(0.5) ? "HTTP/1.1 204 No Content\r\n\r\nwith a body"
                                 : "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n";
      return;
    case 10:
      out += "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello";
      return;
    case 11:
      out += "HTTP/1.1 200 OK\r\nX-Large: " + std::string(5000, 'x') + "\r\n\r\n";
      return;
    case 12:
      out += "HTTP/1.1 200 OK\r\n";
      for (int i = 0; i < 100; ++i) {
        out += "A:b\r\n";
      }
      out += "\r\n";
      return;
    case 13:  // right, and then the end without having said so
      out += right;
      session.end = end_somehow();
      return;
    case 14:  // ... with a word
      out += right + "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n";
      session.end = End::finish;
      return;
    case 15:
      out += "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string{random_.chance(0.5) ? "xyz" : "-3"} +
             "\r\nabc\r\n0\r\n\r\n";
      return;
    case 16:  // no, and the body may stay where it is
      out += sized("HTTP/1.1 413 Content Too Large", "no", is_head, "Connection: close\r\n");
      session.end = random_.chance(0.5) ? End::finish : End::close;
      return;
    case 17:  // no, and the connection lives
      out += sized("HTTP/1.1 401 Unauthorized", "no", is_head);
      return;
    case 18:
      out += sized("HTTP/1.0 200 OK", body, is_head, coding + "Connection: keep-alive\r\n");
      return;
    case 19:
      out += sized("HTTP/1.1 200 OK", body, is_head, coding + "Connection: close\r\n");
      session.end = End::finish;
      return;
    case 20:
      out += "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd";
      return;
    case 21:
      out += "HTTP/1.1 200 OK\n" + coding + "Content-Length: " + std::to_string(body.size()) + "\n\n" +
             (is_head ? "" : body);
      return;
    case 22:  // drip
      out += right;
      session.piece = 1;
      return;
    case 23:
      session.end = end_somehow();
      return;
    default:
      out += right;
      return;
  }
}

}  // namespace pollux::test
