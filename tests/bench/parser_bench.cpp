// Parsing heads and taking chunks off: stack/wire by itself, no sockets.
//
//   build/host/bin/parser_bench --benchmark_filter=Head
#include <benchmark/benchmark.h>

#include <array>
#include <cstring>
#include <string>
#include <string_view>

#include "stack/base/text.hpp"
#include "stack/wire/chunked.hpp"
#include "stack/wire/message_reader.hpp"
#include "tests/bench/parser_heads.hpp"

namespace pollux::wire {
namespace {

void parse(benchmark::State& state, std::string_view text) {
  std::array<Field, 32> table;
  for (auto _ : state) {
    std::size_t scanned = 0;
    const std::size_t size = find_head_end(text, scanned);
    RequestHead head;
    benchmark::DoNotOptimize(parse_request_head({text.data(), size}, table, head));
    benchmark::DoNotOptimize(head);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

// Through a MessageReader, in `pieces` pieces: what a connection pays for a request, without Buffer::append.
void read(benchmark::State& state, std::string_view text, std::size_t pieces) {
  std::array<Field, 32> table;
  std::array<char, 4096> memory;
  std::memcpy(memory.data(), text.data(), text.size());
  MessageReader reader{MessageReader::Kind::request, table, 4096};
  for (auto _ : state) {
    base::Buffer in{memory};
    reader.start();
    ReadEvent event = ReadEvent::need_more;
    for (std::size_t piece = 1; piece <= pieces; ++piece) {
      in.produced(text.size() * piece / pieces - in.size());
      event = reader.advance(in);
    }
    if (event != ReadEvent::head || reader.advance(in) != ReadEvent::complete) {
      state.SkipWithError("not read");
      break;
    }
    reader.release(in);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

void HeadParseSmall(benchmark::State& state) {
  parse(state, small_get);
}
void HeadParseBrowser(benchmark::State& state) {
  parse(state, browser_get);
}
void HeadReadSmall(benchmark::State& state) {
  read(state, small_get, 1);
}
void HeadReadBrowser(benchmark::State& state) {
  read(state, browser_get, 1);
}
void HeadReadBrowserInTwoPieces(benchmark::State& state) {
  read(state, browser_get, 2);
}
BENCHMARK(HeadParseSmall);
BENCHMARK(HeadParseBrowser);
BENCHMARK(HeadReadSmall);
BENCHMARK(HeadReadBrowser);
BENCHMARK(HeadReadBrowserInTwoPieces);

// 64 KiB of payload in chunks of the given size. Decoding destroys its input, so each round copies it first;
// ChunkedCopyOnly is that copy alone.
std::string chunks_of(std::size_t size) {
  std::array<char, 16> digits;
  base::TextWriter line{digits};
  line.put_hex(size).put("\r\n");
  std::string text;
  for (std::size_t payload = 0; payload < 65536; payload += size) {
    text += std::string{line.view()} + std::string(size, 'p') + "\r\n";
  }
  return text + "0\r\n";
}

void ChunkedDecode(benchmark::State& state) {
  const std::string text = chunks_of(static_cast<std::size_t>(state.range(0)));
  std::string work = text;
  for (auto _ : state) {
    std::memcpy(work.data(), text.data(), text.size());
    ChunkedDecoder decoder;
    benchmark::DoNotOptimize(decoder.decode(work, work.data()));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
void ChunkedCopyOnly(benchmark::State& state) {
  const std::string text = chunks_of(static_cast<std::size_t>(state.range(0)));
  std::string work = text;
  for (auto _ : state) {
    std::memcpy(work.data(), text.data(), text.size());
    benchmark::DoNotOptimize(work.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}
BENCHMARK(ChunkedDecode)->Arg(16)->Arg(256)->Arg(4096)->Arg(65536);
BENCHMARK(ChunkedCopyOnly)->Arg(65536);

}  // namespace
}  // namespace pollux::wire

BENCHMARK_MAIN();
