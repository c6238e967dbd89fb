// Drives a fuzz target where there is no libFuzzer: runs it a bounded number of times over the files of a corpus,
// mutations of them and random bytes.
//
//   values_fuzz [--runs COUNT] [--seed NUMBER] [--only RUN] [FILE or FOLDER]...
//
// The same seed and files give the same inputs, run by run. When the target stops the program, the number of the run
// and its input are printed; `--only RUN` repeats just that one.
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

// AddressSanitizer, if it is there, ends a program without SIGABRT; this is how it tells.
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace {

constexpr std::size_t random_size_max = 256;
constexpr std::size_t mutated_size_max = 4096;

struct Options {
  std::uint64_t runs = 20'000;
  std::uint64_t seed = 1;
  std::int64_t only = -1;  // a run, or -1 for all
  std::vector<std::filesystem::path> paths;
};

// The run that is under way, for the report of its end.
std::uint64_t current_run = 0;
std::string current_input;

// Only calls what may be called from a signal handler.
void report_death() {
  char line[64];
  const int size =
      std::snprintf(line, sizeof line, "stopped in run %llu, input: ", static_cast<unsigned long long>(current_run));
  bool is_written = write(STDERR_FILENO, line, static_cast<std::size_t>(size)) >= 0;
  for (const char c : current_input) {
    const auto byte = static_cast<unsigned char>(c);
    const char hex[2] = {"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]};
    is_written = is_written && write(STDERR_FILENO, hex, sizeof hex) >= 0;
  }
  is_written = is_written && write(STDERR_FILENO, "\n", 1) >= 0;
}

void on_signal(int number) {
  std::signal(number, SIG_DFL);
  report_death();
  std::raise(number);
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
}

// All files, in the order of their names: the same on every machine.
std::vector<std::string> read_corpus(const std::vector<std::filesystem::path>& paths) {
  std::vector<std::filesystem::path> files;
  for (const auto& path : paths) {
    if (std::filesystem::is_directory(path)) {
      for (const auto& entry : std::filesystem::directory_iterator{path}) {
        files.push_back(entry.path());
      }
    } else {
      files.push_back(path);
    }
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> corpus;
  std::transform(files.begin(), files.end(), std::back_inserter(corpus), read_file);
  return corpus;
}

class Inputs {
 public:
  Inputs(const std::vector<std::string>& corpus, std::uint64_t seed, std::uint64_t run)
      : corpus_{corpus}, run_{run}, engine_{seed * 0x9e3779b97f4a7c15U + run} {}

  // The corpus itself first, then one random input for every three mutated ones.
  std::string make() {
    if (run_ < corpus_.size()) {
      return corpus_[run_];
    }
    if (corpus_.empty() || below(4) == 0) {
      return random_bytes();
    }
    std::string input = pick();
    for (std::size_t count = 1 + below(6); count > 0; --count) {
      mutate(input);
    }
    input.resize(std::min(input.size(), mutated_size_max));
    return input;
  }

 private:
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(engine_() % bound); }
  const std::string& pick() { return corpus_[below(corpus_.size())]; }
  char random_byte() {
    // Half of them what protocols are made of, so that syntax is hit more often than by chance.
    constexpr std::string_view syntax = " \t\r\n\"%&'()*+,-./:;<=>?@[\\]_{}0123456789abcdefGMT";
    return below(2) == 0 ? syntax[below(syntax.size())] : static_cast<char>(below(256));
  }
  std::string random_bytes() {
    std::string input(below(random_size_max + 1), '\0');
    std::generate(input.begin(), input.end(), [this] { return random_byte(); });
    return input;
  }
  void mutate(std::string& input) {
    const std::size_t at = below(input.size() + 1);
    switch (below(7)) {
      case 0:
        input.insert(at, 1, random_byte());
        break;
      case 1:
        input.erase(at, 1 + below(8));
        break;
      case 2:
        if (at < input.size()) {
          input[at] = random_byte();
        }
        break;
      case 3:
        if (at < input.size()) {
          input[at] = static_cast<char>(input[at] ^ (1 << below(8)));
        }
        break;
      case 4:
        input.insert(at, input.substr(below(input.size() + 1), 1 + below(16)));
        break;
      case 5: {
        const std::string& other = pick();
        input = input.substr(0, at) + other.substr(below(other.size() + 1));
        break;
      }
      default:
        input.resize(at);
        break;
    }
  }

  const std::vector<std::string>& corpus_;
  std::uint64_t run_;
  std::mt19937_64 engine_;
};

template <typename Number>
bool read_number(std::string_view text, Number& number) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  return result.ec == std::errc{} && result.ptr == text.data() + text.size() && number >= 0;
}

bool read_options(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const std::string_view value = i + 1 < argc ? argv[i + 1] : "";
    if (!name.starts_with("--")) {
      options.paths.emplace_back(name);
      continue;
    }
    const bool is_read = name == "--runs"   ? read_number(value, options.runs)
                         : name == "--seed" ? read_number(value, options.seed)
                         : name == "--only" ? read_number(value, options.only)
                                            : false;
    if (!is_read) {
      std::fprintf(stderr, "%s: unknown flag or bad number\n", argv[i]);
      return false;
    }
    ++i;
  }
  for (const auto& path : options.paths) {
    if (!std::filesystem::exists(path)) {
      std::fprintf(stderr, "%s: no such file or folder\n", path.c_str());
      return false;
    }
  }
  return true;
}

void run_once(std::uint64_t run, const std::vector<std::string>& corpus, std::uint64_t seed) {
  current_run = run;
  current_input = Inputs{corpus, seed, run}.make();
  // A copy of exactly the input's size, so that AddressSanitizer sees a read beyond it.
  const std::vector<std::uint8_t> bytes(current_input.begin(), current_input.end());
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!read_options(argc, argv, options)) {
    return 2;
  }
  std::signal(SIGABRT, on_signal);
  std::signal(SIGSEGV, on_signal);
  std::signal(SIGILL, on_signal);
  if (__sanitizer_set_death_callback != nullptr) {
    __sanitizer_set_death_callback(report_death);
  }
  const std::vector<std::string> corpus = read_corpus(options.paths);
  std::printf("seed %llu, %zu corpus files, %llu runs\n", static_cast<unsigned long long>(options.seed), corpus.size(),
              static_cast<unsigned long long>(options.runs));
  std::fflush(stdout);
  if (options.only >= 0) {
    run_once(static_cast<std::uint64_t>(options.only), corpus, options.seed);
    return 0;
  }
  for (std::uint64_t run = 0; run < options.runs; ++run) {
    run_once(run, corpus, options.seed);
  }
  return 0;
}
