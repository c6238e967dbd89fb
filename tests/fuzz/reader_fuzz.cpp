// MessageReader over one input, whole and cut: what it reads is the same, and the scans of all widths agree. The first
// six bytes choose how to read; the rest is what the peer sends.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "port/ensure.hpp"
#include "stack/wire/scan.hpp"
#include "tests/wire/reader_support.hpp"

namespace {

using namespace pollux::wire;

constexpr std::size_t choices_size = 6;

// The scans on a copy of its exact size, where AddressSanitizer watches the ends.
void check_scans(std::string_view input) {
  const std::unique_ptr<char[]> memory{new char[input.size()]};
  std::copy(input.begin(), input.end(), memory.get());
  const std::string_view text{memory.get(), input.size()};
  for (std::size_t at = 0; at <= text.size(); at += 1 + at / 8) {
    ENSURE(scan::line_feed(text, at) == scan::portable::line_feed(text, at));
    ENSURE(scan::token_end(text, at) == scan::portable::token_end(text, at));
    ENSURE(scan::target_end(text, at) == scan::portable::target_end(text, at));
    ENSURE(scan::value_end(text, at) == scan::portable::value_end(text, at));
    ENSURE(scan::word::line_feed(text, at) == scan::portable::line_feed(text, at));
    ENSURE(scan::word::token_end(text, at) == scan::portable::token_end(text, at));
    ENSURE(scan::word::target_end(text, at) == scan::portable::target_end(text, at));
    ENSURE(scan::word::value_end(text, at) == scan::portable::value_end(text, at));
  }
}

// Cuts from a small generator: the same input is always cut the same.
std::vector<std::size_t> cuts_of(std::size_t size, std::uint32_t seed) {
  std::vector<std::size_t> cuts;
  std::size_t at = 0;
  for (;;) {
    seed = seed * 1664525U + 1013904223U;
    at += 1 + (seed >> 16) % ((seed & 0x100U) != 0 ? 4U : 90U);
    if (at >= size) {
      return cuts;
    }
    cuts.push_back(at);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < choices_size) {
    return 0;
  }
  const std::string_view input{reinterpret_cast<const char*>(data) + choices_size, size - choices_size};
  check_scans(input);

  static constexpr Method methods[] = {Method::get, Method::head, Method::connect, Method::post};
  test::ReadOptions options{.kind = (data[0] & 1U) != 0 ? MessageReader::Kind::response : MessageReader::Kind::request,
                            .request_method = methods[data[0] >> 1 & 3U],
                            .buffer_size = 8192,
                            .table_size = data[1] % 16U,
                            .head_size_max = 1U + data[2] * 4U,
                            .is_streaming = (data[0] & 8U) != 0,
                            .input_ends = (data[0] & 16U) != 0,
                            .reserve_size = data[3] % 32U};
  // In a buffer that holds everything the outcome depends on the bytes alone.
  if (input.size() + 64 * 32 <= options.buffer_size) {
    const std::string whole = test::read(input, options);
    ENSURE(test::read(input, options, cuts_of(input.size(), data[4])) == whole);
    ENSURE(test::read(input, options, cuts_of(input.size(), data[4] + 256U)) == whole);
  }
  // In a small one it may run out of room here or there, and nothing else may happen.
  options.buffer_size = 1U + data[5];
  static_cast<void>(test::read(input, options, cuts_of(input.size(), data[4])));
  return 0;
}
