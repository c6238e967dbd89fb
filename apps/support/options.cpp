#include "apps/support/options.hpp"

#include <unistd.h>

#include "apps/support/line.hpp"
#include "port/ensure.hpp"
#include "stack/base/text.hpp"

namespace pollux::apps {

namespace {

// So many blanks, for a column: none if `count` would be less.
class Blanks {
 public:
  explicit Blanks(std::size_t column, std::size_t used = 0) noexcept : size_{column > used ? column - used : 0} {
    size_ = size_ < text.size() ? size_ : text.size();
  }
  operator std::string_view() const noexcept { return {text.data(), size_}; }

 private:
  static constexpr std::string_view text = "                                                                ";
  std::size_t size_;
};

// `text` behind its first `count` characters. (substr() of a place that the compiler cannot check needs libstdc++.)
std::string_view behind(std::string_view text, std::size_t count) noexcept {
  ENSURE(count <= text.size());
  text.remove_prefix(count);
  return text;
}

// How long an option is in the left column of --help: "--name VALUE".
template <typename Option>
std::size_t width(const Option& option) noexcept {
  return option.name.size() + (option.placeholder.empty() ? 0 : option.placeholder.size() + 1);
}

}  // namespace

Options& Options::flag(std::string_view name, std::string_view help, bool& target) noexcept {
  return add({.name = name, .help = help, .kind = Kind::flag, .target = &target});
}

Options& Options::text(std::string_view name, std::string_view placeholder, std::string_view help,
                       std::string_view& target, Check check) noexcept {
  return add(
      {.name = name, .placeholder = placeholder, .help = help, .kind = Kind::text, .target = &target, .check = check});
}

Options& Options::list(std::string_view name, std::string_view placeholder, std::string_view help, TextList& target,
                       Check check) noexcept {
  return add(
      {.name = name, .placeholder = placeholder, .help = help, .kind = Kind::list, .target = &target, .check = check});
}

Options& Options::add(const Option& option) noexcept {
  ENSURE(option_count_ < options_max);
  ENSURE(option.name.starts_with("--"));
  ENSURE(find(option.name) == nullptr);
  options_[option_count_++] = option;
  return *this;
}

Options::Option* Options::find(std::string_view name) noexcept {
  for (std::size_t i = 0; i < option_count_; ++i) {
    if (options_[i].name == name) {
      return &options_[i];
    }
  }
  return nullptr;
}

Options::Option* Options::find(char letter) noexcept {
  for (std::size_t i = 0; i < option_count_; ++i) {
    if (options_[i].letter == letter) {
      return &options_[i];
    }
  }
  return nullptr;
}

Options& Options::letter(char letter) noexcept {
  ENSURE(option_count_ > 0);
  ENSURE(letter != 0 && letter != '-');
  ENSURE(find(letter) == nullptr);
  options_[option_count_ - 1].letter = letter;
  return *this;
}

Options& Options::operand(std::string_view placeholder, std::string_view help, std::string_view& target,
                          Check check) noexcept {
  ENSURE(operand_count_ < operands_max);
  operands_[operand_count_++] = {.placeholder = placeholder, .help = help, .target = &target, .check = check};
  return *this;
}

bool Options::has_letters() const noexcept {
  for (std::size_t i = 0; i < option_count_; ++i) {
    if (options_[i].letter != 0) {
      return true;
    }
  }
  return false;
}

std::optional<int> Options::parse(int argc, const char* const* argv) noexcept {
  Arguments arguments{.count = argc, .values = argv};
  operands_given_ = 0;
  bool only_operands = false;
  while (arguments.has_next()) {
    const std::string_view argument = arguments.take();
    std::optional<int> status;
    const bool may_be_option = !only_operands && argument.size() > 1 && argument.front() == '-';
    if (may_be_option && argument == "--" && operand_count_ > 0) {
      only_operands = true;
    } else if (may_be_option && argument[1] == '-') {
      status = parse_name(argument, arguments);
    } else if (may_be_option && has_letters()) {
      status = parse_letters(argument, arguments);
    } else {
      status = parse_operand(argument);
    }
    if (status) {
      return status;
    }
  }
  if (operands_given_ < operand_count_) {
    return fail(operands_[operands_given_].placeholder, "is missing");
  }
  return std::nullopt;
}

std::optional<int> Options::parse_name(std::string_view argument, Arguments& arguments) noexcept {
  if (argument == "--help") {
    print_help();
    return 0;
  }
  if (argument == "--version") {
    print_line(STDOUT_FILENO, program_, " " POLLUX_VERSION);
    return 0;
  }
  const std::size_t equals = argument.find('=');
  const std::string_view name = argument.substr(0, equals);
  Option* option = find(name);
  if (option == nullptr) {
    return fail(name, "unknown option");
  }
  if (equals == std::string_view::npos) {
    return apply(*option, name, std::nullopt, arguments);
  }
  return apply(*option, name, behind(argument, equals + 1), arguments);
}

std::optional<int> Options::parse_letters(std::string_view argument, Arguments& arguments) noexcept {
  for (std::size_t i = 1; i < argument.size(); ++i) {
    const std::array<char, 2> shown{'-', argument[i]};
    Option* option = find(argument[i]);
    if (option == nullptr) {
      return fail({shown.data(), shown.size()}, "unknown option");
    }
    // What stands behind the letter of an option with a value is the value: -c8.
    const bool is_flag = option->kind == Kind::flag;
    std::optional<std::string_view> value;
    if (!is_flag && i + 1 < argument.size()) {
      value = behind(argument, i + 1);
    }
    if (const auto status = apply(*option, {shown.data(), shown.size()}, value, arguments)) {
      return status;
    }
    if (!is_flag) {
      break;
    }
  }
  return std::nullopt;
}

std::optional<int> Options::parse_operand(std::string_view argument) noexcept {
  if (operands_given_ == operand_count_) {
    return fail(argument, "unexpected argument");
  }
  const Operand& operand = operands_[operands_given_++];
  if (operand.check != nullptr) {
    if (const char* reason = operand.check(argument)) {
      return fail_value({}, operand.placeholder, argument, reason);
    }
  }
  *operand.target = argument;
  return std::nullopt;
}

std::optional<int> Options::apply(Option& option, std::string_view shown, std::optional<std::string_view> value,
                                  Arguments& arguments) noexcept {
  if (option.is_given && option.kind != Kind::list) {
    return fail(shown, "given twice");
  }
  option.is_given = true;
  if (option.kind == Kind::flag) {
    if (value) {
      return fail(shown, "takes no value");
    }
    *static_cast<bool*>(option.target) = true;
    return std::nullopt;
  }
  if (!value) {
    if (!arguments.has_next()) {
      return fail(shown, "needs a value");
    }
    value = arguments.take();
  }
  if (const char* reason = take(option, *value)) {
    return fail_value(option, shown, *value, reason);
  }
  return std::nullopt;
}

const char* Options::take(Option& option, std::string_view value) noexcept {
  if (option.check != nullptr) {
    if (const char* reason = option.check(value)) {
      return reason;
    }
  }
  switch (option.kind) {
    case Kind::flag:
      return nullptr;
    case Kind::text:
      *static_cast<std::string_view*>(option.target) = value;
      return nullptr;
    case Kind::list:
      return static_cast<TextList*>(option.target)->add(value) ? nullptr : "is one too many";
    case Kind::number:
      break;
  }
  const std::optional<std::uint64_t> number = base::parse_decimal(value);
  if (!number || *number < option.range.min || *number > option.range.max) {
    return "is not a number from";
  }
  option.store(option.target, *number);
  return nullptr;
}

int Options::fail(std::string_view flag, std::string_view reason) const noexcept {
  print_line(STDERR_FILENO, program_, ": ", flag, ": ", reason, "; try --help");
  return 2;
}

int Options::fail_value(const Option& option, std::string_view shown, std::string_view value,
                        const char* reason) const noexcept {
  std::array<char, 64> limits{};
  base::TextWriter range{limits};
  if (option.kind == Kind::number) {
    range.put(' ').put_decimal(option.range.min).put(" to ").put_decimal(option.range.max);
  }
  print_line(STDERR_FILENO, program_, ": ", shown, ": \"", value, "\" ", reason, range.view());
  return 2;
}

void Options::print_help() const noexcept {
  std::array<char, line_max> memory{};
  base::TextWriter usage{memory};
  std::size_t column = std::string_view{"--version"}.size();
  for (std::size_t i = 0; i < operand_count_; ++i) {
    const std::string_view name = operands_[i].placeholder;
    usage.put(' ').put(name);
    column = name.size() > column ? name.size() : column;
  }
  print_line(STDOUT_FILENO, "Usage: ", program_, " [OPTION]...", usage.view());
  print_line(STDOUT_FILENO, summary_, "\n");
  for (std::size_t i = 0; i < option_count_; ++i) {
    column = width(options_[i]) > column ? width(options_[i]) : column;
  }
  // Letters stand in a column of their own, which is there if any option has one.
  const Blanks letters{has_letters() ? 4U : 0U};
  for (std::size_t i = 0; i < operand_count_; ++i) {
    const Operand& operand = operands_[i];
    print_line(STDOUT_FILENO, "  ", letters, operand.placeholder, Blanks{column, operand.placeholder.size()}, "  ",
               operand.help);
  }
  for (std::size_t i = 0; i < option_count_; ++i) {
    print_help(options_[i], column, letters);
  }
  print_help({.name = "--help", .help = "show this text"}, column, letters);
  print_help({.name = "--version", .help = "show the version"}, column, letters);
}

void Options::print_help(const Option& option, std::size_t column, std::string_view letters) const noexcept {
  std::array<char, 64> memory{};
  base::TextWriter note{memory};
  if (option.kind == Kind::list) {
    note.put(" (repeatable)");
  }
  if (option.kind == Kind::number) {
    note.put(" (default ").put_decimal(option.number_default).put(')');
  }
  const std::array<char, 4> letter{'-', option.letter, ',', ' '};
  print_line(STDOUT_FILENO, "  ", option.letter != 0 ? std::string_view{letter.data(), letter.size()} : letters,
             option.name, option.placeholder.empty() ? "" : " ", option.placeholder, Blanks{column, width(option)},
             "  ", option.help, note.view());
}

}  // namespace pollux::apps
