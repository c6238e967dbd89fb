#include "tests/sim/server_peers.hpp"

#include <array>
#include <charconv>

namespace pollux::test {

using namespace std::chrono_literals;

namespace {

std::string hex(std::size_t value) {
  std::array<char, 16> text;
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value, 16).ptr};
}

void read_all(const port::SimPeer& end, std::string* into) {
  std::array<char, 2048> bytes;
  for (std::size_t size = end.receive(bytes); size != 0; size = end.receive(bytes)) {
    if (into != nullptr) {
      into->append(bytes.data(), size);
    }
  }
}

}  // namespace

// ---- GoodPeer

void GoodPeer::complain(std::string_view what) {
  if (complaint_.empty()) {
    complaint_ = std::string{what} + "; asked for " + waits_for() + "; received: " + received_.substr(0, 400);
  }
}

void GoodPeer::connect() {
  end_ = network_.connect({.address = port::Address::ipv4_loopback(sim_server_port)});
  if (!end_.is_open() || end_.saw_failure()) {
    return;
  }
  port::SimLink& link = end_.link();
  link.reset = link.loss = 0;
  sent_ = 0;
  unsent_.clear();
  received_.clear();
  closes_ = false;
}

void GoodPeer::make_request() {
  const std::uint64_t number = ++number_ + 1000;
  const std::string digits = std::to_string(number);
  std::string body;
  std::string letters = digits + " ";
  for (std::uint64_t i = 0; i < long_size(number); ++i) {
    letters += long_byte(number, i);
  }
  std::string kind;
  std::string answer = digits + " 0 0";
  switch (random_.below(8)) {
    case 0:
    case 1:
      kind = "hi";
      break;
    case 2:
      kind = "last";
      break;
    case 3:
      kind = "wait";
      break;
    case 4:
      kind = "long";
      answer = letters;
      break;
    case 5:
      kind = "source";
      answer = letters;
      break;
    case 6:
      kind = "collected";
      body.assign(random_.below(30), 'c');
      break;
    case 7:
      kind = "streamed";
      body.assign(random_.below(1500), 's');
      break;
    default:
      break;
  }
  std::string request = (body.empty() ? "GET /" : "PUT /") + kind + "/" + digits + " HTTP/1.1\r\nHost: h\r\n";
  if (!body.empty()) {
    answer = digits + " " + std::to_string(body.size()) + " " +
             std::to_string(body.size() * static_cast<unsigned char>(body.front()));
    // A collected body and its chunk lines have to fit the smallest input buffer.
    if (kind == "streamed" && random_.chance(0.5)) {
      request += "Transfer-Encoding: chunked\r\n\r\n";
      while (!body.empty()) {
        const std::size_t size = 1 + static_cast<std::size_t>(random_.below(body.size()));
        request += hex(size) + "\r\n" + body.substr(0, size) + "\r\n";
        body.erase(0, size);
      }
      request += "0\r\n\r\n";
    } else {
      request += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
    }
  } else {
    request += "\r\n";
  }
  asked_.push_back({std::move(request), std::move(answer), network_.now()});
}

bool GoodPeer::take_body(std::string_view head, std::string_view rest) {
  std::string body;
  std::size_t used = 0;
  if (const std::size_t at = head.find("Content-Length: "); at != std::string_view::npos) {
    const std::string_view digits = head.substr(at + 16, head.find('\r', at) - at - 16);
    const auto size = static_cast<std::size_t>(base::parse_decimal(digits).value_or(0));
    if (rest.size() < size) {
      return false;
    }
    body = rest.substr(0, size);
    used = size;
  } else if (head.find("Transfer-Encoding: chunked") != std::string_view::npos) {
    for (;;) {
      const std::size_t line = rest.find("\r\n", used);
      if (line == std::string_view::npos) {
        return false;
      }
      std::size_t size = 0;
      std::from_chars(rest.data() + used, rest.data() + line, size, 16);
      if (rest.size() < line + 2 + size + 2) {
        return false;
      }
      body += rest.substr(line + 2, size);
      used = line + 2 + size + 2;
      if (size == 0) {
        break;
      }
    }
  } else {
    complain("an answer without a length");
    return false;
  }
  if (body != asked_.front().answer) {
    complain("a wrong body, wanted " + asked_.front().answer.substr(0, 100));
    return false;
  }
  received_.erase(0, head.size() + used);
  return true;
}

bool GoodPeer::take_answer() {
  const std::size_t end = received_.find("\r\n\r\n");
  if (end == std::string::npos) {
    return false;
  }
  if (sent_ == 0) {
    complain("an answer nobody asked for");
    return false;
  }
  const std::string head = received_.substr(0, end + 4);
  if (!head.starts_with("HTTP/1.1 200 OK\r\n")) {
    complain("a status that is not 200");
    return false;
  }
  if (!take_body(head, std::string_view{received_}.substr(head.size()))) {
    return false;
  }
  closes_ = head.find("Connection: close\r\n") != std::string::npos;
  slowest_ = std::max(slowest_, network_.now() - asked_.front().at);
  asked_.pop_front();
  --sent_;
  ++answered_;
  return true;
}

void GoodPeer::listen() {
  read_all(end_, &received_);
  while (complaint_.empty() && take_answer()) {
    if (closes_ && !received_.empty()) {
      complain("bytes behind an answer that closes");
    }
  }
  if (sent_ == 0 && !received_.empty() && complaint_.empty()) {
    complain("bytes nobody asked for");
  }
}

void GoodPeer::end_of_connection() {
  if (!received_.empty()) {
    complain("an answer that was cut off");
  }
  end_.close();
  // What was not answered is asked again. Its time runs on.
  sent_ = 0;
  unsent_.clear();
  received_.clear();
}

void GoodPeer::act() {
  if (!complaint_.empty() || network_.now() < quiet_until_) {
    return;
  }
  if (!end_.is_open() || end_.saw_failure()) {
    if (is_calm_ && asked_.empty()) {
      return;
    }
    if (asked_.empty()) {
      make_request();
    }
    connect();
    return;
  }
  if (end_.is_connecting()) {
    return;
  }
  listen();
  if (end_.saw_finish() || end_.saw_failure()) {
    end_of_connection();
    return;
  }
  if (is_calm_ && asked_.empty()) {
    end_.close();
    return;
  }
  if (!is_calm_ && asked_.size() < 4 && random_.chance(asked_.empty() ? 0.8 : 0.3)) {
    make_request();
  }
  while (unsent_.empty() && sent_ < asked_.size() && !closes_) {
    unsent_ += asked_[sent_++].request;
    if (random_.chance(0.5)) {
      break;
    }
  }
  if (!unsent_.empty()) {
    const std::size_t piece =
        random_.chance(0.6) ? unsent_.size() : 1 + static_cast<std::size_t>(random_.below(unsent_.size()));
    unsent_.erase(0, end_.send(std::string_view{unsent_}.substr(0, piece)));
  }
  if (random_.chance(0.05)) {
    // A pause, but never in the middle of a request.
    quiet_until_ =
        network_.now() + (unsent_.empty() ? port::Duration{random_.below(2'000'000'000)} : port::Duration{1ms});
  }
}

// ---- BadPeer

std::string BadPeer::something() {
  const std::string number = std::to_string(random_.below(1000));
  switch (random_.below(16)) {
    case 0:
      return "GET /hi/" + number + " HTTP/1.1\r\nHost: h\r\n\r\n";
    case 1:
      return "GET /long/" + number + " HTTP/1.0\r\n\r\n";
    case 2:
      return "GET /wait/" + number + " HTTP/1.1\r\nHost: h\r\n\r\n";
    case 3:
      return "GET /abort/" + number + " HTTP/1.1\r\nHost: h\r\n\r\n";
    case 4:
      return "PUT /streamed/" + number + " HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\n" +
             std::string(random_.below(5000), 'x');
    case 5:
      return "PUT /collected/" + number + " HTTP/1.1\r\nHost: h\r\nContent-Length: 60\r\n\r\nhalf";
    case 6:
      return "PUT /streamed/" + number + " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n";
    case 7:
      return "PUT /collected/" + number + " HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n";
    case 8:
      return "GET /" + std::string(random_.below(3000), 'y');
    case 9:
      return "GET / HTTP/1.1\r\nHo";
    case 10:
      return "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    case 11: {
      std::string garbage(random_.below(400), '\0');
      for (char& c : garbage) {
        c = static_cast<char>(random_.below(256));
      }
      return garbage;
    }
    case 12: {
      std::string many;
      for (std::uint64_t i = random_.below(60); i > 0; --i) {
        many += "GET /long/" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\n\r\n";
      }
      return many;
    }
    case 13:
      return "PUT /hi/" + number + " HTTP/1.1\r\nHost: h\r\nContent-Length: 400000\r\n\r\n" + std::string(3000, 'z');
    case 14:
      return "PUT /streamed/" + number +
             " HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n0123456789";
    default:
      return "";
  }
}

void BadPeer::begin() {
  end_ = network_.connect({.address = port::Address::ipv4_loopback(sim_server_port)});
  if (!end_.is_open() || end_.saw_failure()) {
    return;
  }
  if (random_.chance(0.3)) {
    end_.link().reset = 0.02;
  }
  if (random_.chance(0.2)) {
    end_.link().loss = 0.02;
  }
  unsent_.clear();
  reads_ = random_.chance(0.7);
  leaves_at_ = network_.now() + port::Duration{random_.below(20'000'000'000)};
}

void BadPeer::calm_down() {
  is_calm_ = true;  // from now on it is silent; some hang up, some just stay away
  unsent_.clear();
  if (random_.chance(0.4)) {
    end_.close();
  } else if (random_.chance(0.3)) {
    end_.lose();
  }
}

void BadPeer::act() {
  if (is_calm_) {
    if (reads_) {
      read_all(end_, nullptr);
    }
    return;
  }
  if (network_.now() < sleeps_until_) {
    return;
  }
  if (!end_.is_open() || end_.saw_failure() || (end_.saw_finish() && random_.chance(0.5))) {
    end_.close();
    begin();
    return;
  }
  if (network_.now() >= leaves_at_) {
    switch (random_.below(4)) {
      case 0:
        end_.reset();
        break;
      case 1:
        end_.lose();
        break;
      case 2:
        end_.finish();
        leaves_at_ += 5s;
        break;
      default:
        end_.close();
        break;
    }
    return;
  }
  if (reads_) {
    read_all(end_, nullptr);
  } else if (random_.chance(0.02)) {
    std::array<char, 40> few;
    end_.receive(few);
  }
  if (unsent_.empty() && random_.chance(0.3)) {
    unsent_ = something();
  }
  const bool drips = random_.chance(0.5);
  const std::size_t piece = drips ? std::min<std::size_t>(unsent_.size(), 1 + random_.below(7)) : unsent_.size();
  unsent_.erase(0, end_.send(std::string_view{unsent_}.substr(0, piece)));
  if (random_.chance(0.1)) {
    sleeps_until_ = network_.now() + port::Duration{random_.below(3'000'000'000)};
  }
}

}  // namespace pollux::test
