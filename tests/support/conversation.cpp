#include "tests/support/conversation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace pollux::test {
namespace {

using port::Duration;
using port::Time;

constexpr std::size_t date_size = masked_date.size();
constexpr Duration slow_read_step = std::chrono::milliseconds{1};
constexpr int turns_at_the_end =
    3;  // time is up: one turn for deadlines, one for what they cause, one to see that nothing follows

// A handshake takes no time but turns: so often the turns above are added while one is under way.
constexpr int turns_to_begin = 3;

bool looks_like_date(std::string_view text) {
  return text.size() >= date_size + 2 && text.substr(3, 2) == ", " && text.substr(date_size - 4, 6) == " GMT\r\n";
}

// Lines as C would write them, one per row, so that two texts can be compared by eye.
std::string show(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    shown += "    \"" + escape(text.substr(0, end)) + "\"\n";
    text.remove_prefix(end);
  }
  return shown.empty() ? "    (nothing)\n" : shown;
}

std::string difference(std::string_view wanted, std::string_view got) {
  const std::size_t common = std::min(wanted.size(), got.size());
  const auto differing =
      std::mismatch(wanted.begin(), wanted.begin() + static_cast<std::ptrdiff_t>(common), got.begin());
  const auto at = static_cast<std::size_t>(differing.first - wanted.begin());
  const std::size_t from = at < 20 ? 0 : at - 20;
  return "first difference at byte " + std::to_string(at) + ":\n    wanted ..." + escape(wanted.substr(from, 60)) +
         "\n    got    ..." + escape(got.substr(std::min(from, got.size()), 60)) + "\n";
}

}  // namespace

std::string escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\r') {
      escaped += "\\r";
    } else if (c == '\n') {
      escaped += "\\n";
    } else if (c == '\t') {
      escaped += "\\t";
    } else if (c == '"' || c == '\\') {
      escaped += '\\';
      escaped += c;
    } else if (byte < 0x20 || byte >= 0x7F) {
      std::array<char, 5> hex{};
      std::snprintf(hex.data(), hex.size(), "\\x%02x", byte);
      escaped += hex.data();
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string mask_dates(std::string_view text) {
  constexpr std::string_view field = "\nDate: ";
  std::string masked{text};
  for (std::size_t at = masked.find(field); at != std::string::npos; at = masked.find(field, at + 1)) {
    const std::size_t value = at + field.size();
    const std::string_view rest = std::string_view{masked}.substr(value);
    if (rest.starts_with("*\r\n")) {
      masked.replace(value, 1, masked_date);
    } else if (looks_like_date(rest)) {
      masked.replace(value, date_size, masked_date);
    }
  }
  return masked;
}

// ---- Peer: saying

Peer& Peer::say(std::string_view text) {
  if (pieces_.empty()) {
    pieces_.emplace_back();
  }
  pieces_.back() += text;
  pump_out(talk_.turns_);
  return *this;
}

Peer& Peer::say_in_pieces(std::string_view text, std::size_t piece_size) {
  for (; !text.empty(); text.remove_prefix(std::min(piece_size, text.size()))) {
    pieces_.emplace_back(text.substr(0, piece_size));
  }
  pieces_.emplace_back();  // what is said next is another piece
  pump_out(talk_.turns_);
  return *this;
}

Peer& Peer::say_split(std::string_view text, std::size_t at) {
  pieces_.emplace_back(text.substr(0, at));
  pieces_.emplace_back(text.substr(at));
  pump_out(talk_.turns_);
  return *this;
}

Peer& Peer::finish() {
  finishes_ = true;
  pump_out(talk_.turns_);
  return *this;
}

void Peer::reset() {
  pieces_.clear();
  end_.reset();
}

void Peer::close() {
  pieces_.clear();
  if (layer_ != nullptr && end_.is_connected() && !layer_->is_beginning()) {
    static_cast<void>(layer_->finish(end_, talk_.turns_));
  }
  end_.close();
}

std::size_t Peer::unsaid() const {
  std::size_t size = 0;
  for (const std::string& piece : pieces_) {
    size += piece.size();
  }
  return size;
}

std::size_t Peer::transmit(std::string_view text, std::uint64_t turn) {
  if (layer_ == nullptr) {
    return text.empty() ? 0 : end_.send(text);
  }
  std::size_t sent = 0;
  while (sent < text.size()) {
    const std::size_t taken = layer_->send(end_, text.substr(sent), turn);
    if (taken == 0) {
      break;
    }
    sent += taken;
  }
  return sent;
}

void Peer::pump_out(std::uint64_t turn) {
  if (layer_ != nullptr && end_.is_connected()) {
    static_cast<void>(layer_->send(end_, {}, turn));  // what is left of before
  }
  while (!pieces_.empty() && end_.is_connected()) {
    std::string& piece = pieces_.front();
    if (!piece.empty() && last_piece_turn_ == turn) {
      return;  // one piece per turn
    }
    const std::size_t sent = transmit(piece, turn);
    piece.erase(0, sent);
    if (!piece.empty()) {
      return;  // the send buffer is full
    }
    const bool is_piecewise = pieces_.size() > 1;
    pieces_.pop_front();
    if (sent != 0 && is_piecewise) {
      last_piece_turn_ = turn;
      return;
    }
  }
  if (finishes_ && pieces_.empty() && (layer_ == nullptr || !end_.is_connected() || layer_->finish(end_, turn))) {
    finishes_ = false;
    end_.finish();
  }
}

// ---- Peer: listening

void Peer::resume_reading() {
  is_reading_ = true;
  bytes_per_second_ = 0;
}

void Peer::read_slowly(std::uint64_t bytes_per_second) {
  is_reading_ = true;
  bytes_per_second_ = bytes_per_second;
  credit_ = 0;
  credit_at_ = talk_.now();
}

Time Peer::next_read() const {
  const bool is_slow = is_reading_ && bytes_per_second_ != 0 && end_.unread() != 0;
  if (!is_slow) {
    return port::never;
  }
  const Duration for_one_byte{static_cast<Duration::rep>(1'000'000'000U / bytes_per_second_)};
  return talk_.now() + std::max(slow_read_step, for_one_byte);
}

void Peer::pump_in() {
  if (layer_ != nullptr && layer_->reads_by_itself()) {
    static_cast<void>(layer_->receive(end_, end_.unread(), received_));
  }
  if (!is_reading_) {
    return;
  }
  std::size_t limit = end_.unread();
  if (bytes_per_second_ != 0) {
    const std::chrono::duration<double> passed = talk_.now() - credit_at_;
    credit_at_ = talk_.now();
    credit_ = limit == 0 ? 0 : credit_ + passed.count() * static_cast<double>(bytes_per_second_);
    limit = std::min(limit, static_cast<std::size_t>(credit_));
    credit_ -= static_cast<double>(limit);
  }
  if (layer_ != nullptr && limit == 0) {
    static_cast<void>(layer_->receive(end_, 0, received_));  // the end itself may have come
  }
  std::array<char, 4096> bytes;
  while (limit != 0) {
    std::size_t taken = 0;
    if (layer_ != nullptr) {
      taken = layer_->receive(end_, limit, received_);
    } else {
      taken = end_.receive(std::span{bytes}.first(std::min(limit, bytes.size())));
      received_.append(bytes.data(), taken);
    }
    if (taken == 0) {
      return;
    }
    limit -= taken;
    if (bytes_per_second_ == 0) {
      limit = end_.unread();  // the window has opened, and more may have come at once
    }
  }
}

void Peer::pump(std::uint64_t turn) {
  pump_out(turn);
  pump_in();
}

std::string Peer::take() {
  pump_in();
  std::string taken;
  taken.swap(received_);
  return masks_dates_ ? mask_dates(taken) : taken;
}

std::string Peer::state() const {
  const std::string layer = layer_ == nullptr ? std::string{} : "; " + layer_->state();
  return connection_state() + layer;
}

std::string Peer::connection_state() const {
  if (!end_.is_open()) {
    return "the peer has closed";
  }
  if (end_.saw_failure()) {
    return "the connection failed";
  }
  if (end_.saw_finish()) {
    return "the other side has finished";
  }
  return end_.is_connecting() ? "not connected yet" : "the connection is open";
}

bool Peer::compare(std::string_view text, Where where) {
  const std::string wanted = masks_dates_ ? mask_dates(text) : std::string{text};
  talk_.run_until([&] { return received_.size() >= wanted.size() || is_over(); });
  const std::string got = masks_dates_ ? mask_dates(received_) : received_;
  if (std::string_view{got}.substr(0, wanted.size()) == wanted) {
    return true;
  }
  talk_.report(where, difference(wanted, got) + "wanted:\n" + show(wanted) + "got (" + state() + "):\n" + show(got));
  received_.clear();
  return false;
}

void Peer::want(std::string_view text, Where where) {
  if (compare(text, where)) {
    received_.erase(0, masks_dates_ ? mask_dates(text).size() : text.size());
  }
}

void Peer::want_prefix(std::string_view text, Where where) {
  compare(text, where);
}

std::string Peer::want_containing(std::string_view text, Where where) {
  std::size_t at = std::string::npos;
  talk_.run_until([&] {
    at = received_.find(text);
    return at != std::string::npos || is_over();
  });
  if (at == std::string::npos) {
    talk_.report(where, "wanted somewhere:\n" + show(text) + "got (" + state() + "):\n" + show(received_));
    received_.clear();
    return {};
  }
  std::string found = received_.substr(0, at + text.size());
  received_.erase(0, found.size());
  return found;
}

std::string Peer::want_head(int status, Where where) {
  std::string head = want_containing("\r\n\r\n", where);
  if (!head.empty() && head.substr(0, head.find("\r\n")).find(" " + std::to_string(status)) != 8) {
    talk_.report(where, "wanted a head with status " + std::to_string(status) + ", got:\n" + show(head));
  }
  return masks_dates_ ? mask_dates(head) : head;
}

std::string Peer::want_body(std::size_t size, Where where) {
  talk_.run_until([&] { return received_.size() >= size || is_over(); });
  if (received_.size() < size) {
    talk_.report(where, "wanted " + std::to_string(size) + " bytes, got " + std::to_string(received_.size()) + " (" +
                            state() + "):\n" + show(std::string_view{received_}.substr(0, 2000)));
  }
  std::string body = received_.substr(0, size);
  received_.erase(0, body.size());
  return body;
}

void Peer::want_closed(Where where) {
  talk_.run_until([&] { return is_over(); });
  const bool says_so = layer_ == nullptr || layer_->saw_finish();
  if (!end_.saw_finish() || end_.saw_failure() || !received_.empty() || !says_so) {
    talk_.report(where, "wanted the other side to finish; " + state() + ", and unconsumed:\n" + show(received_));
  }
}

void Peer::want_cut(Where where) {
  talk_.run_until([&] { return is_over(); });
  const bool says_so = layer_ != nullptr && layer_->saw_finish();
  if (!end_.saw_finish() || end_.saw_failure() || !received_.empty() || says_so) {
    talk_.report(
        where, "wanted the other side to finish without a word; " + state() + ", and unconsumed:\n" + show(received_));
  }
}

void Peer::want_reset(Where where) {
  talk_.run_until([&] { return end_.saw_failure() || !end_.is_open(); });
  if (!end_.saw_failure()) {
    talk_.report(where, "wanted a reset; " + state() + ", and unconsumed:\n" + show(received_));
  }
  received_.clear();
}

void Peer::want_gone(Where where) {
  talk_.run_until([&] { return is_over(); });
  if (!end_.saw_finish() && !end_.saw_failure()) {
    talk_.report(where, "wanted the connection to end; " + state() + ", and unconsumed:\n" + show(received_));
  }
  received_.clear();
}

void Peer::want_nothing(Duration duration, Where where) {
  talk_.run_for(duration);
  if (!received_.empty() || is_over()) {
    talk_.report(where, "wanted nothing; " + state() + ", and came:\n" + show(received_));
    received_.clear();
  }
}

void Peer::want_connected(Where where) {
  talk_.run_until([&] { return !end_.is_connecting() && !is_beginning(); });
  if (!end_.is_connected()) {
    talk_.report(where, "wanted to be connected; " + state());
  }
}

// ---- RawServer

Peer& RawServer::accept(std::source_location where) {
  if (!talk_.run_until([&] { return listener_.waiting() != 0; })) {
    talk_.report(where, "wanted a connection, nobody came");
  }
  return talk_.add(listener_.accept(), false);
}

void RawServer::want_nobody(Duration duration, std::source_location where) {
  talk_.run_for(duration);
  if (listener_.waiting() != 0) {
    talk_.report(where, "wanted nobody to connect, " + std::to_string(listener_.waiting()) + " came");
  }
}

// ---- Conversation

Peer& Conversation::add(port::SimPeer end, bool is_client) {
  Peer& peer = peers_.emplace_back(*this, end);
  if (make_layer_) {
    peer.set_layer(make_layer_(is_client));
  }
  return peer;
}

void Conversation::forget_peers() {
  for (Peer& peer : peers_) {
    peer.reset();
  }
  peers_.clear();
}

void Conversation::drop_layers() {
  make_layer_ = nullptr;
  for (Peer& peer : peers_) {
    peer.set_layer(nullptr);
  }
}

Peer& Conversation::connect(const port::Endpoint& to) {
  return add(network_.connect(to), true);
}

Peer& Conversation::connect_plain(std::uint16_t port) {
  return peers_.emplace_back(*this, network_.connect({.address = port::Address::ipv4_loopback(port)}));
}

RawServer& Conversation::listen(const port::Endpoint& at) {
  port::Endpoint really = at;
  if (make_layer_ && at.address.port == listen_first_ && listen_first_ != 0) {
    really.address.port = listen_second_;
  }
  return servers_.emplace_back(*this, network_.listen(really));
}

bool Conversation::is_beginning() const {
  return std::any_of(peers_.begin(), peers_.end(), [](const Peer& peer) { return peer.is_beginning(); });
}

void Conversation::pump() {
  for (Peer& peer : peers_) {
    peer.pump(turns_);
  }
}

void Conversation::step(Time limit) {
  pump();
  for (const Peer& peer : peers_) {
    limit = port::earliest(limit, peer.next_read());
  }
  network_.set_horizon(limit);
  ++turns_;
  if (turn_) {
    turn_(turn_object_);
  } else {
    network_.advance(limit - network_.now());  // nobody polls: time passes by itself
  }
  network_.set_horizon(port::never);
  pump();
}

bool Conversation::run(Time limit, bool (*is_true)(void*), void* object) {
  pump();
  std::uint64_t spins = 0;
  int turns_left = turns_at_the_end;
  int more_turns = turns_to_begin;
  while (!is_true(object)) {
    const Time before = network_.now();
    if (before >= limit && turns_left-- == 0) {
      if (more_turns == 0 || !is_beginning()) {
        return false;
      }
      --more_turns;
      turns_left = turns_at_the_end;
    }
    step(limit);
    spins = network_.now() == before ? spins + 1 : 0;
    if (spins == spin_turns_max) {
      ADD_FAILURE() << "the program spins: " << spins << " turns, and the clock stands still";
      return false;
    }
  }
  return true;
}

void Conversation::run_for(Duration duration) {
  const auto is_never_true = [](void*) { return false; };
  static_cast<void>(run(network_.now() + duration, is_never_true, nullptr));
}

void Conversation::report(const std::source_location& where, const std::string& text) const {
  std::string message = text + "seed " + std::to_string(seed_) + "\n";
  if (split_ != 0) {
    message += "cut at byte " + std::to_string(split_) + "\n";
  }
  ADD_FAILURE_AT(where.file_name(), static_cast<int>(where.line())) << message;
}

}  // namespace pollux::test
