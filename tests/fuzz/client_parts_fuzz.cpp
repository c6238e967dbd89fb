// The body decoder and the cookie jar over one input. What comes out is the same whatever the pieces were, limits hold, a jar stays within
// its entries, and its file reads back as the same jar.
//
// The first byte of the input chooses what is fed and how; the rest is the body, the Set-Cookie fields or the file.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "port/ensure.hpp"
#include "stack/http/body_decoder.hpp"
#include "stack/http/cookie_host.hpp"
#include "stack/http/cookie_jar.hpp"
#include "stack/wire/slice.hpp"

namespace {

using namespace pollux;
using namespace pollux::http;

constexpr DecodeLimits limits{.size_max = 100'000, .ratio_max = 100, .ratio_from = 5'000};

struct Summary {
  DecodeError error = DecodeError::none;
  bool is_complete = false;
  std::uint64_t decoded = 0;
  std::uint32_t sum = 0;
};

DecoderStorage<1> decoder_storage;

// `piece` bytes are fed at once, and `bite` are consumed.
Summary decode(std::string_view raw, ContentCoding coding, std::size_t piece, std::size_t bite) {
  DecoderPool pool{decoder_storage.memory()};
  Summary summary;
  BodyDecoder* decoder = pool.take(coding, limits);
  if (decoder == nullptr) {
    return summary;  // a build without zlib
  }
  std::uint64_t consumed = 0;
  const auto take_output = [&] {
    const std::string_view output = decoder->output();
    const std::size_t count = output.size() < bite ? output.size() : bite;
    for (std::size_t i = 0; i < count; ++i) {
      summary.sum = summary.sum * 31 + static_cast<unsigned char>(output[i]);
    }
    decoder->consume(count);
    consumed += count;
    ENSURE(consumed <= limits.size_max);
    return count;
  };
  while (!raw.empty() && decoder->error() == DecodeError::none) {
    const std::size_t taken = decoder->feed(wire::slice(raw, 0, raw.size() < piece ? raw.size() : piece));
    raw = wire::drop(raw, taken);
    const std::size_t count = take_output();
    ENSURE(taken > 0 || count > 0 || decoder->error() != DecodeError::none);
  }
  decoder->end_input();
  while (take_output() > 0) {
  }
  summary.error = decoder->error();
  summary.is_complete = decoder->is_complete();
  summary.decoded = decoder->decoded();
  ENSURE(summary.decoded == consumed);
  ENSURE(summary.is_complete == (summary.error == DecodeError::none));
  ENSURE(summary.error != DecodeError::no_memory);
  pool.give_back(*decoder);
  return summary;
}

void check_decoder(std::string_view raw, ContentCoding coding) {
  const Summary whole = decode(raw, coding, SIZE_MAX, SIZE_MAX);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{1000}}) {
    for (const std::size_t bite : {std::size_t{13}, std::size_t{2048}}) {
      const Summary other = decode(raw, coding, piece, bite);
      // Which of two faults is seen first may depend on the pieces; that there is one, and what comes out of a good body, may not.
      ENSURE((other.error == DecodeError::none) == (whole.error == DecodeError::none));
      ENSURE(whole.error != DecodeError::none || (other.decoded == whole.decoded && other.sum == whole.sum));
    }
  }
}

constexpr std::size_t entry_count = 4;
constexpr std::size_t text_size = 64;
CookieJarStorage<entry_count, text_size> jar_storage;
CookieJarStorage<entry_count, text_size> copy_storage;

void check_jar(CookieJar& jar, port::WallTime now) {
  std::size_t used = 0;
  for (std::size_t i = 0; i < jar.capacity(); ++i) {
    if (const auto cookie = jar.at(i)) {
      ++used;
      ENSURE(!cookie->name.empty());
      ENSURE(cookie->path.starts_with('/'));
      ENSURE(is_cookie_host(cookie->domain));
      ENSURE(cookie->host_only || !is_registry_domain(cookie->domain));
    }
  }
  ENSURE(used == jar.size());
  std::array<char, 150> field;
  for (const std::string_view host : {"h.test", "a.h.test", "10.0.0.1", "[::1]", "co.uk"}) {
    for (const bool is_secure : {false, true}) {
      const std::string_view text = jar.write({.host = host, .path = "/a/b", .is_secure = is_secure}, now, field);
      ENSURE(text.size() <= field.size());
      for (const char c : text) {
        ENSURE(!wire::is_control(c));
        ENSURE(wire::is_ascii(c));
      }
    }
  }
  // As a file, and back.
  CookieJar copy{copy_storage.memory()};
  std::array<char, text_size + 64> line;
  std::array<char, text_size + 64> again;
  CookieFileCursor cursor;
  while (const auto text = jar.save_line(cursor, now, line)) {
    ENSURE(copy.load_line(*text, now) == CookieFileProblem::none);
  }
  ENSURE(copy.size() <= jar.size());
  CookieFileCursor first;
  CookieFileCursor second;
  for (;;) {
    const auto one = jar.save_line(first, now, line);
    const auto other = copy.save_line(second, now, again);
    ENSURE(one.has_value() == other.has_value());
    if (!one) {
      break;
    }
    ENSURE(*one == *other);
  }
}

// Each line is a Set-Cookie field; its first byte chooses where it comes from and when.
void check_cookies(std::string_view input) {
  constexpr std::array<std::string_view, 4> hosts{"h.test", "a.h.test", "10.0.0.1", "co.uk"};
  constexpr std::array<std::int64_t, 4> clocks{5, 1'767'225'600, 1'767'225'700, 253'402'300'000};
  CookieJar jar{jar_storage.memory()};
  port::WallTime now{};
  while (!input.empty()) {
    const auto choice = static_cast<unsigned char>(input.front());
    const wire::Cut parts = wire::cut(wire::drop(input, 1), '\n');
    input = parts.after;
    now.seconds = clocks[choice >> 2 & 3];
    jar.store({.host = hosts[choice & 3], .path = "/a/x", .is_secure = (choice & 16) != 0}, parts.before, now);
    check_jar(jar, now);
  }
}

void check_cookie_file(std::string_view input) {
  CookieJar jar{jar_storage.memory()};
  const port::WallTime now{.seconds = 1'767'225'600};
  const CookieFileResult result = jar.load(input, now);
  ENSURE((result.line == 0) == (result.problem == CookieFileProblem::none));
  ENSURE((result.line == 0) == (result.refused == 0));
  ENSURE(jar.size() <= result.loaded);
  check_jar(jar, now);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view input{reinterpret_cast<const char*>(data) + 1, size - 1};
  switch (data[0] & 3) {
    case 0:
      check_decoder(input, ContentCoding::gzip);
      break;
    case 1:
      check_decoder(input, ContentCoding::deflate);
      break;
    case 2:
      check_cookies(input);
      break;
    default:
      check_cookie_file(input);
      break;
  }
  return 0;
}
