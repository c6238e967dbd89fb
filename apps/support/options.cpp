#include "apps/support/options.hpp"

#include <cstdio>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"

namespace pollux::apps {

namespace {

void print(std::FILE* to, std::string_view text) noexcept {
  std::fwrite(text.data(), 1, text.size(), to);
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

std::optional<int> Options::parse(int argc, const char* const* argv) noexcept {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const std::size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    if (!name.starts_with("--")) {
      return fail(argument, "unexpected argument");
    }
    if (argument == "--help") {
      print_help();
      return 0;
    }
    if (argument == "--version") {
      print(stdout, program_);
      print(stdout, " " POLLUX_VERSION "\n");
      return 0;
    }
    Option* option = find(name);
    if (option == nullptr) {
      return fail(name, "unknown option");
    }
    if (option->is_given && option->kind != Kind::list) {
      return fail(name, "given twice");
    }
    option->is_given = true;
    if (option->kind == Kind::flag) {
      if (equals != std::string_view::npos) {
        return fail(name, "takes no value");
      }
      *static_cast<bool*>(option->target) = true;
      continue;
    }
    const bool has_value = equals != std::string_view::npos || i + 1 < argc;
    if (!has_value) {
      return fail(name, "needs a value");
    }
    const std::string_view value = equals != std::string_view::npos ? argument.substr(equals + 1) : argv[++i];
    if (const char* reason = take(*option, value)) {
      return fail_value(*option, value, reason);
    }
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
  std::fprintf(stderr, "%.*s: %.*s: %.*s; try --help\n", static_cast<int>(program_.size()), program_.data(),
               static_cast<int>(flag.size()), flag.data(), static_cast<int>(reason.size()), reason.data());
  return 2;
}

int Options::fail_value(const Option& option, std::string_view value, const char* reason) const noexcept {
  std::array<char, 64> limits{};
  base::TextWriter range{limits};
  if (option.kind == Kind::number) {
    range.put(' ').put_decimal(option.range.min).put(" to ").put_decimal(option.range.max);
  }
  std::fprintf(stderr, "%.*s: %.*s: \"%.*s\" %s%.*s\n", static_cast<int>(program_.size()), program_.data(),
               static_cast<int>(option.name.size()), option.name.data(), static_cast<int>(value.size()), value.data(),
               reason, static_cast<int>(range.size()), range.view().data());
  return 2;
}

void Options::print_help() const noexcept {
  std::printf("Usage: %.*s [OPTION]...\n%.*s\n\n", static_cast<int>(program_.size()), program_.data(),
              static_cast<int>(summary_.size()), summary_.data());
  std::size_t column = std::string_view{"--version"}.size();
  for (std::size_t i = 0; i < option_count_; ++i) {
    column = width(options_[i]) > column ? width(options_[i]) : column;
  }
  for (std::size_t i = 0; i < option_count_; ++i) {
    const Option& option = options_[i];
    std::printf("  %.*s%s%.*s%*s  %.*s", static_cast<int>(option.name.size()), option.name.data(),
                option.placeholder.empty() ? "" : " ", static_cast<int>(option.placeholder.size()),
                option.placeholder.data(), static_cast<int>(column - width(option)), "",
                static_cast<int>(option.help.size()), option.help.data());
    if (option.kind == Kind::list) {
      std::printf(" (repeatable)");
    }
    if (option.kind == Kind::number) {
      std::printf(" (default %llu)", static_cast<unsigned long long>(option.number_default));
    }
    std::printf("\n");
  }
  std::printf("  %-*s  show this text\n", static_cast<int>(column), "--help");
  std::printf("  %-*s  show the version\n", static_cast<int>(column), "--version");
}

}  // namespace pollux::apps
