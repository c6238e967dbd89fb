// Options: the command line of an app, declared in a list and read into its variables.
//
//   std::string_view directory;
//   std::uint32_t connections = 64;
//   apps::Options options{"pollux-httpbin", "Answers requests as httpbin does."};
//   options.text("--static", "DIR", "serve the files of DIR below /static/", directory)
//       .number("--connections", "N", "connections served at the same time", connections, {.min = 1, .max = 1000});
//   if (const auto status = options.parse(argc, argv)) {
//     return *status;
//   }
//
// `--name VALUE` and `--name=VALUE` are the same. An option may have a letter too: options.number("--connections", ...).letter('c') takes
// `-c 8` and `-c8`, and flags may be written together, `-qv` (POSIX, Utility Syntax Guidelines 3 to 8; options may also stand behind
// operands). `--help` and `--version` are always there. What cannot be understood is one line on standard error that names the flag,
// and exit status 2. Nothing is allocated; texts point into argv and live as long.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace pollux::apps {

// The values of an option that may be given several times, in order. More than `size_max`: an error that says so.
class TextList {
 public:
  static constexpr std::size_t size_max = 16;
  [[nodiscard]] bool add(std::string_view value) noexcept {
    if (size_ == size_max) {
      return false;
    }
    values_[size_++] = value;
    return true;
  }
  [[nodiscard]] std::span<const std::string_view> values() const noexcept { return {values_.data(), size_}; }

 private:
  std::array<std::string_view, size_max> values_{};
  std::size_t size_ = 0;
};

struct Range {
  std::uint64_t min = 0;
  std::uint64_t max = UINT64_MAX;
};

class Options {
 public:
  // Says whether a value of a text or list option is acceptable: nullptr, or what is wrong with it ("is not ADDR:PORT").
  using Check = const char* (*)(std::string_view value);

  // `program` is the name in messages; `summary` one sentence for --help.
  constexpr Options(std::string_view program, std::string_view summary) noexcept
      : program_{program}, summary_{summary} {}

  // All names begin with "--". `help` is a sentence part without a full stop. The targets must outlive parse(); what they hold before
  // it is the default, and --help shows the default of a number.
  Options& flag(std::string_view name, std::string_view help, bool& target) noexcept;
  Options& text(std::string_view name, std::string_view placeholder, std::string_view help, std::string_view& target,
                Check check = nullptr) noexcept;
  // May be given up to TextList::size_max times.
  Options& list(std::string_view name, std::string_view placeholder, std::string_view help, TextList& target,
                Check check = nullptr) noexcept;
  // Decimal digits only, within `range` and within what `Number` holds.
  template <std::unsigned_integral Number>
  Options& number(std::string_view name, std::string_view placeholder, std::string_view help, Number& target,
                  Range range) noexcept {
    constexpr std::uint64_t number_max = static_cast<Number>(-1);
    range.max = range.max < number_max ? range.max : number_max;
    const auto store = [](void* where, std::uint64_t value) {
      *static_cast<Number*>(where) = static_cast<Number>(value);
    };
    return add({.name = name,
                .placeholder = placeholder,
                .help = help,
                .kind = Kind::number,
                .target = &target,
                .store = store,
                .range = range,
                .number_default = target});
  }

  // The option declared last is also known as `-letter`.
  Options& letter(char letter) noexcept;
  // What stands on the command line without a flag; required. Declared in their order. `--` ends the options: what follows is an operand.
  Options& operand(std::string_view placeholder, std::string_view help, std::string_view& target,
                   Check check = nullptr) noexcept;

  // Reads the command line. Nothing: go on. A number: end the program with it (0 after --help and --version, 2 after an error), all
  // that is to be said has been printed.
  [[nodiscard]] std::optional<int> parse(int argc, const char* const* argv) noexcept;

  [[nodiscard]] std::string_view program() const noexcept { return program_; }

 private:
  enum class Kind : std::uint8_t { flag, text, list, number };
  struct Option {
    std::string_view name;
    std::string_view placeholder{};
    std::string_view help{};
    Kind kind = Kind::flag;
    void* target = nullptr;
    Check check = nullptr;
    void (*store)(void* target, std::uint64_t value) = nullptr;
    Range range{};
    std::uint64_t number_default = 0;
    bool is_given = false;
    char letter = 0;  // 0: none
  };
  struct Operand {
    std::string_view placeholder;
    std::string_view help;
    std::string_view* target = nullptr;
    Check check = nullptr;
  };
  // Goes through argv, one at a time.
  struct Arguments {
    int count;
    const char* const* values;
    int next = 1;
    [[nodiscard]] bool has_next() const noexcept { return next < count; }
    [[nodiscard]] std::string_view take() noexcept { return values[next++]; }
  };
  static constexpr std::size_t options_max = 32;
  static constexpr std::size_t operands_max = 4;

  Options& add(const Option& option) noexcept;
  [[nodiscard]] Option* find(std::string_view name) noexcept;
  [[nodiscard]] Option* find(char letter) noexcept;
  [[nodiscard]] bool has_letters() const noexcept;
  // Each as parse(), for one argument (and the value behind it).
  [[nodiscard]] std::optional<int> parse_name(std::string_view argument, Arguments& arguments) noexcept;
  [[nodiscard]] std::optional<int> parse_letters(std::string_view argument, Arguments& arguments) noexcept;
  [[nodiscard]] std::optional<int> parse_operand(std::string_view argument) noexcept;
  // `shown` is how the flag was written. `value`: what stood in the same argument, if anything.
  [[nodiscard]] std::optional<int> apply(Option& option, std::string_view shown, std::optional<std::string_view> value,
                                         Arguments& arguments) noexcept;
  // nullptr, or a description of what is wrong with `value`.
  [[nodiscard]] const char* take(Option& option, std::string_view value) noexcept;
  int fail(std::string_view flag, std::string_view reason) const noexcept;
  int fail_value(const Option& option, std::string_view shown, std::string_view value,
                 const char* reason) const noexcept;
  void print_help() const noexcept;
  void print_help(const Option& option, std::size_t column, std::string_view letters) const noexcept;

  std::string_view program_;
  std::string_view summary_;
  std::array<Option, options_max> options_{};
  std::size_t option_count_ = 0;
  std::array<Operand, operands_max> operands_{};
  std::size_t operand_count_ = 0;
  std::size_t operands_given_ = 0;
};

}  // namespace pollux::apps
