// From the output buffer, and what passes by it, to the socket.

#include <algorithm>

#include "port/ensure.hpp"
#include "stack/http/server.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::http {

namespace {

using WriterState = wire::MessageWriter::State;

// How many pieces one connection sends before others have their turn.
constexpr int steps_per_send = 16;
// The largest piece of a file asked for in one call.
constexpr std::uint64_t file_piece = 256 * 1024;

}  // namespace

// Sends what is ready until the socket refuses, nothing is left, or others should have their turn.
void ServerConn::send() noexcept {
  Exchange& exchange = *exchange_;
  if (exchange.write_blocked) {
    return;
  }
  for (int step = 0; step < steps_per_send; ++step) {
    if (exchange.lost || exchange.write_blocked || !send_step()) {
      return;
    }
  }
  server_.enqueue(*this);
}

// One system call. False: there is nothing (more) to send now.
bool ServerConn::send_step() noexcept {
  Exchange& exchange = *exchange_;
  Tail& tail = exchange.tail;
  if (tail.kind == Tail::Kind::source && !tail.later && !pull_source()) {
    return false;
  }
  const std::string_view first = wire::slice(exchange.out.data(), 0, exchange.writer.sendable(exchange.out));
  net::StreamResult result;
  std::size_t wanted = first.size();
  if (!first.empty() || tail.kind == Tail::Kind::bytes) {
    const std::string_view second = tail.kind == Tail::Kind::bytes ? tail.bytes : std::string_view{};
    wanted += second.size();
    result = stream_.send(first, second, tail.kind == Tail::Kind::file);
  } else if (tail.kind == Tail::Kind::file) {
    wanted = static_cast<std::size_t>(std::min(tail.left, file_piece));
    result = stream_.send_file(tail.file, tail.at, wanted);
  } else {
    return false;
  }
  if (result.status == net::StreamStatus::want_write || result.status == net::StreamStatus::want_read) {
    exchange.write_blocked = true;
    if (stream_.take_sent() != 0) {
      exchange.progress.moved_at = now();  // a part of a record: slow, but alive
    }
    return false;
  }
  if (result.status != net::StreamStatus::ok) {
    exchange.progress.source_failed = result.status == net::StreamStatus::end;
    exchange.lost = true;  // also a file that has become shorter: the client has to notice
    return false;
  }
  bytes_out_ += result.size;
  server_.counters_.bytes_out += result.size;
  exchange.progress.moved_at = now();
  const std::size_t from_buffer = std::min(result.size, first.size());
  exchange.out.consume(from_buffer);
  if (tail.kind == Tail::Kind::bytes) {
    tail.bytes.remove_prefix(result.size - from_buffer);
    if (tail.bytes.empty()) {
      exchange.writer.end_passing(exchange.out);
      end_tail();
    }
  } else if (tail.kind == Tail::Kind::file && first.empty()) {
    tail.at += result.size;
    tail.left -= result.size;
    if (tail.left == 0) {
      exchange.writer.end_passing(exchange.out);
      end_tail();
    }
    return true;
  }
  // A send that took less than it was given means a full socket: the kernel need not be asked again to learn that.
  exchange.write_blocked = result.size < wanted;
  return !exchange.write_blocked && (tail.kind != Tail::Kind::none || !exchange.out.is_empty());
}

// Fills the buffer from a source. False: the source cannot go on and the connection is lost for it.
bool ServerConn::pull_source() noexcept {
  Exchange& exchange = *exchange_;
  Tail& tail = exchange.tail;
  exchange.writer.compact(exchange.out);
  for (;;) {
    if (exchange.writer.state() == WriterState::body_sized && exchange.writer.body_missing() == 0) {
      end_tail();
      return true;
    }
    const std::span<char> space = exchange.writer.space(exchange.out);
    if (space.empty()) {
      break;
    }
    const PullResult result = tail.source.pull(tail.source.object, space, tail.at);
    ENSURE(result.size <= space.size());
    exchange.writer.produced(exchange.out, result.size);
    tail.at += result.size;
    if (result.kind == PullResult::Kind::end) {
      end_tail();
      break;
    }
    if (result.kind == PullResult::Kind::later) {
      tail.later = true;
      if (!exchange.progress.wait_set) {
        exchange.progress.wait_deadline = port::deadline_after(now(), server_.config_.timeouts.wait);
      }
      break;
    }
    if (result.kind == PullResult::Kind::failed || result.size == 0) {
      exchange.progress.source_failed = true;
      exchange.lost = true;
      return false;
    }
  }
  exchange.writer.close_chunk(exchange.out);
  return true;
}

std::optional<Hijacked> ServerConn::hijack() noexcept {
  Exchange& exchange = *exchange_;
  if (exchange.lost || exchange.reader.state() != wire::MessageReader::State::complete ||
      !exchange.writer.discard(exchange.out)) {
    return std::nullopt;
  }
  send();
  if (exchange.lost || !exchange.out.is_empty()) {
    return std::nullopt;
  }
  exchange.reader.release(exchange.in);
  const Hijacked taken{.stream = stream_, .received = exchange.in.data()};
  stream_ = net::Stream{};
  exchange.lost = true;
  server_.notify(ConnState::hijacked, *this);
  return taken;
}

}  // namespace pollux::http
