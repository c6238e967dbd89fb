// Parses one head a number of times, for an instruction counter: the difference of two runs is what the heads cost.
//
//   valgrind --tool=callgrind --callgrind-out-file=/dev/null build/host/bin/parser_count browser parse 1000
//
// parser_count small|browser none|find|parse|read ROUNDS       find: find_head_end; parse: parse_first_request_head;
//                                                              read: all that a MessageReader does for a request
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "stack/wire/message_reader.hpp"
#include "tests/bench/parser_heads.hpp"

namespace {

using namespace pollux;
using namespace pollux::wire;

// Keeps the compiler from parsing once for all rounds.
template <typename T>
void use(T& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

void run(std::string_view text, std::string_view what, std::size_t rounds) {
  std::array<Field, 32> table{};
  std::array<char, 4096> memory{};
  std::memcpy(memory.data(), text.data(), text.size());
  const std::string_view data{memory.data(), text.size()};
  MessageReader reader{MessageReader::Kind::request, table, 4096};
  for (std::size_t i = 0; i < rounds; ++i) {
    use(memory);
    std::size_t size = 0;
    if (what == "find") {
      std::size_t scanned = 0;
      size = find_head_end(data, scanned);
    } else if (what == "parse") {
      RequestHead head;
      if (parse_first_request_head(data, table, head, size) != HeadError::none) {
        std::abort();
      }
      use(head);
    } else if (what == "read") {
      base::Buffer in{memory};
      in.produced(text.size());
      reader.start();
      if (reader.advance(in) != ReadEvent::head || reader.advance(in) != ReadEvent::complete) {
        std::abort();
      }
      reader.release(in);
    }
    use(size);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: parser_count small|browser none|find|parse|read ROUNDS\n", stderr);
    return 2;
  }
  std::size_t rounds = 0;
  std::from_chars(argv[3], argv[3] + std::strlen(argv[3]), rounds);
  run(std::string_view{argv[1]} == "small" ? small_get : browser_get, argv[2], rounds);
  return 0;
}
