#include "apps/httpbin/stream.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <span>
#include <string_view>

#include "apps/httpbin/inspect.hpp"
#include "apps/httpbin/numbers.hpp"
#include "port/ensure.hpp"
#include "port/port.hpp"
#include "stack/base/text.hpp"
#include "stack/net/loop.hpp"
#include "stack/wire/conditional.hpp"
#include "stack/wire/range.hpp"
#include "stack/wire/status.hpp"

namespace pollux::httpbin {

using http::Event;
using http::Next;
using http::PullResult;
using http::Request;
using http::ResponseWriter;

namespace {

using std::chrono::milliseconds;

std::optional<std::uint64_t> count_of(ResponseWriter& writer, const Request& request, std::uint64_t max) noexcept {
  const auto count = base::parse_decimal(request.path_value("n"), max);
  if (!count) {
    http::not_found(writer);
  }
  return count;
}

// A query parameter as thousandths; `otherwise` if it is not there. Nothing if it is no number.
std::optional<std::uint64_t> thousandths_of(const Request& request, std::string_view name, std::uint64_t otherwise,
                                            std::uint64_t max) noexcept {
  std::array<char, 32> memory;
  const auto text = request.query_value(name, memory);
  return text ? parse_thousandths(*text, max) : otherwise;
}

// ---- bytes by a seed

struct RandomBytes {
  std::uint64_t seed;
  std::uint64_t size;
};

// The eight bytes at offset 8 * index: splitmix64 (Steele, Lea, Flood 2014), which can begin anywhere.
std::uint64_t random_word(std::uint64_t seed, std::uint64_t index) noexcept {
  std::uint64_t word = seed + (index + 1) * 0x9E3779B97F4A7C15U;
  word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9U;
  word = (word ^ word >> 27) * 0x94D049BB133111EBU;
  return word ^ word >> 31;
}

PullResult pull_random(void* object, std::span<char> out, std::uint64_t offset) {
  const RandomBytes& random = *static_cast<const RandomBytes*>(object);
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(random.size - offset, out.size()));
  for (std::size_t i = 0; i < size;) {
    const std::uint64_t at = offset + i;
    std::uint64_t word = random_word(random.seed, at / 8) >> at % 8 * 8;
    for (std::uint64_t k = at % 8; k < 8 && i < size; ++k, ++i) {
      out[i] = static_cast<char>(word & 0xFF);
      word >>= 8;
    }
  }
  return {offset + size == random.size ? PullResult::Kind::end : PullResult::Kind::more, size};
}

void begin_random(Request& request, std::uint64_t size) noexcept {
  RandomBytes& random = request.state<RandomBytes>();
  random.size = size;
  std::array<char, 32> memory;
  const auto seed = request.query_value("seed", memory);
  if (const auto number = seed ? base::parse_decimal(*seed) : std::nullopt) {
    random.seed = *number;
    return;
  }
  std::array<std::byte, 8> chance;
  request.loop().port().random(chance);
  for (const std::byte byte : chance) {
    random.seed = random.seed << 8 | std::to_integer<std::uint64_t>(byte);
  }
}

// ---- letters

PullResult pull_letters(void* object, std::span<char> out, std::uint64_t offset) {
  const wire::ByteRange& range = *static_cast<const wire::ByteRange*>(object);
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(range.size - offset, out.size()));
  for (std::size_t i = 0; i < size; ++i) {
    out[i] = static_cast<char>('a' + (range.first + offset + i) % 26);
  }
  return {offset + size == range.size ? PullResult::Kind::end : PullResult::Kind::more, size};
}

// ---- waiting

struct StreamState {
  DocumentState line;
  std::uint64_t number;
};

struct DripState {
  std::uint64_t size;
  std::uint64_t sent;
  port::Time begun;  // of the body
  port::Duration duration;
  port::Duration delay;
  int code;
};

// Between two steps of a drip: fine enough for a person, and no load.
constexpr port::Duration drip_step = milliseconds{20};

// Reads the parameters; false if one is wrong, and it has been answered.
bool begin_drip(ResponseWriter& writer, Request& request, DripState& drip) noexcept {
  const auto duration_ms = thousandths_of(request, "duration", 2000, drip_duration_max_ms);
  const auto delay_ms = thousandths_of(request, "delay", 0, delay_max_ms);
  const auto size = thousandths_of(request, "numbytes", 10'000, drip_bytes_max * 1000);
  const auto code = thousandths_of(request, "code", 200'000, 600'000);
  if (!duration_ms || !delay_ms || !size || !code || *size < 1000) {
    http::error(writer, 400, "number of bytes must be positive, duration and delay seconds, code a status");
    return false;
  }
  drip.code = static_cast<int>(*code / 1000);
  if (drip.code < 200 || drip.code > 599) {
    http::error(writer, 400, "Invalid status code");
    return false;
  }
  drip.size = *size / 1000;
  drip.duration = milliseconds{*duration_ms};
  drip.delay = milliseconds{*delay_ms};
  return true;
}

// Writes what is due by now.
Next drip_on(ResponseWriter& writer, Request& request, DripState& drip) noexcept {
  const port::Duration elapsed = request.now() - drip.begun;
  std::uint64_t due = drip.size;
  if (elapsed < drip.duration) {
    // In milliseconds the product stays far below 2^64: 10 MiB times 60,000.
    const auto part = static_cast<std::uint64_t>(elapsed / milliseconds{1});
    due = std::min(drip.size, 1 + drip.size * part / static_cast<std::uint64_t>(drip.duration / milliseconds{1}));
  }
  static constexpr std::string_view asterisks = "****************************************************************";
  while (drip.sent < due) {
    const std::uint64_t size = std::min<std::uint64_t>(due - drip.sent, asterisks.size());
    const std::size_t taken = writer.write({asterisks.data(), static_cast<std::size_t>(size)});
    drip.sent += taken;
    if (taken < size) {
      return Next::write_body;
    }
  }
  if (drip.sent == drip.size) {
    return Next::done;
  }
  writer.flush();
  request.set_wait_deadline(drip_step);
  return Next::wait;
}

}  // namespace

void bytes(ResponseWriter& writer, Request& request) {
  const auto count = count_of(writer, request, bytes_max);
  if (!count) {
    return;
  }
  writer.set("Content-Type", "application/octet-stream");
  if (*count == 0) {
    return;
  }
  begin_random(request, *count);
  writer.send_source({.pull = pull_random, .object = &request.state<RandomBytes>()}, *count);
}

void stream_bytes(ResponseWriter& writer, Request& request) {
  const auto count = count_of(writer, request, UINT64_MAX);
  if (!count) {
    return;
  }
  writer.set("Content-Type", "application/octet-stream");
  writer.flush();
  if (*count == 0) {
    return;
  }
  begin_random(request, std::min(*count, stream_bytes_max));
  writer.send_source({.pull = pull_random, .object = &request.state<RandomBytes>()});
}

Next stream(ResponseWriter& writer, Request& request) {
  const auto count = count_of(writer, request, UINT64_MAX);
  if (!count || request.event() == Event::gone) {
    return Next::done;
  }
  const Inspection inspection{request};
  if (inspection.overflowed()) {
    refuse_overflow(writer);
    return Next::done;
  }
  StreamState& state = request.state<StreamState>();
  if (request.event() == Event::start) {
    begin_json(writer, request);
    writer.flush();  // the length is nobody's business: chunked from the beginning
  }
  for (; state.number < std::min(*count, stream_lines_max); ++state.number, state.line = {}) {
    const Next next = send_document(writer, state.line, [&](Document& document) {
      apps::JsonWriter json{document.sink(), apps::JsonStyle::spaced};
      json.begin_object();
      inspection.write_args(json);
      inspection.write_headers(json);
      json.member("id", state.number);
      inspection.write_origin(json);
      inspection.write_url(json);
      json.end_object();
      document.put("\n");
    });
    if (next != Next::done) {
      return next;
    }
  }
  return Next::done;
}

void range(ResponseWriter& writer, Request& request) {
  const auto count = base::parse_decimal(request.path_value("n"), stream_bytes_max);
  if (!count || *count == 0) {
    http::error(writer, 404, "number of bytes must be in the range (0, 102400]");
    return;
  }
  std::array<char, 32> etag_memory;
  const std::string_view etag = base::TextWriter{etag_memory}.put("\"range").put_decimal(*count).put('"').view();
  wire::Ranges ranges;
  if (wire::range_applies_to(request.method()) &&
      wire::if_range_holds({.if_range = request.field(wire::FieldId::if_range).value_or("")}, {.etag = etag})) {
    ranges = wire::parse_range(request.field(wire::FieldId::range).value_or(""), *count);
  }
  writer.set("Accept-Ranges", "bytes");
  writer.set("ETag", etag);
  std::array<char, wire::content_range_size_max> memory;
  if (ranges.status == wire::RangeStatus::not_satisfiable || ranges.status == wire::RangeStatus::malformed) {
    const auto content_range = wire::write_unsatisfied_range(*count, memory);
    ENSURE(content_range);
    writer.set("Content-Range", *content_range);
    writer.status(416);
    return;
  }
  writer.set("Content-Type", "application/octet-stream");
  wire::ByteRange& letters = request.state<wire::ByteRange>();
  letters = {.first = 0, .size = *count};
  // Several ranges get the whole (RFC 9110 section 14.2 leaves it to the server); the files below /static/ have them
  // all.
  if (ranges.count == 1) {
    letters = ranges.items[0];
    const auto content_range = wire::write_content_range(letters, *count, memory);
    ENSURE(content_range);
    writer.status(206);
    writer.set("Content-Range", *content_range);
  }
  writer.send_source({.pull = pull_letters, .object = &letters}, letters.size);
}

Next delay(ResponseWriter& writer, Request& request) {
  const auto wait_ms = parse_thousandths(request.path_value("seconds"), delay_max_ms);
  if (!wait_ms) {
    http::error(writer, 400, "400 the delay is not a number of seconds");
    return Next::done;
  }
  if (request.event() == Event::start && *wait_ms != 0) {
    request.set_wait_deadline(milliseconds{*wait_ms});
    return Next::wait;
  }
  return send_object(writer, request, request.state<DocumentState>(), Inspection::Body::read, write_delay);
}

Next drip(ResponseWriter& writer, Request& request) {
  DripState& state = request.state<DripState>();
  switch (request.event()) {
    case Event::gone:
    case Event::body:
    case Event::resumed:
      return Next::done;
    case Event::start:
      if (!begin_drip(writer, request, state)) {
        return Next::done;
      }
      if (state.delay > port::Duration::zero()) {
        request.set_wait_deadline(state.delay);
        return Next::wait;
      }
      break;
    case Event::expired:
    case Event::writable:
      break;
  }
  if (state.begun == port::Time{}) {
    state.begun = request.now();
    writer.status(state.code);
    writer.set("Content-Type", "application/octet-stream");
    const bool has_body = request.method_id() != wire::Method::head && wire::status_allows_body(state.code);
    if (wire::status_allows_body(state.code)) {
      writer.set_content_length(state.size);
    }
    if (!has_body) {
      return Next::done;
    }
  }
  return drip_on(writer, request, state);
}

Next echo(ResponseWriter& writer, Request& request) {
  if (request.event() == Event::gone) {
    return Next::done;
  }
  if (request.event() == Event::start) {
    writer.set("Content-Type", request.field(wire::FieldId::content_type).value_or("application/octet-stream"));
    if (const auto size = request.content_length()) {
      writer.set_content_length(*size);
    }
  }
  const std::string_view piece = request.body_bytes();
  const std::size_t taken = piece.empty() ? 0 : writer.write(piece);
  request.consume(taken);
  if (taken < piece.size()) {
    return Next::write_body;
  }
  switch (request.body_state()) {
    case http::BodyState::more:
      return Next::read_body;
    case http::BodyState::complete:
      return Next::done;
    case http::BodyState::too_large:
    case http::BodyState::failed:
      break;
  }
  if (writer.is_head_written() || writer.body_written() > 0) {
    return Next::abort;  // a part is out: only the end of the connection can say that the rest will not come
  }
  const bool is_too_large = request.body_state() == http::BodyState::too_large;
  http::error(writer, is_too_large ? 413 : 400, is_too_large ? "413 content too large" : "400 bad request");
  return Next::done;
}

}  // namespace pollux::httpbin
