// The options by name: what each takes and what it does. Read by the parser (options.cpp) and by --help.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "apps/fetch/options.hpp"

namespace pollux::fetch {

// Why a value was refused; an empty text: it was not.
struct Refusal {
  std::string text{};
  int status = 2;
};

// What a handler works on.
struct OptionCall {
  Options& options;
  Warnings& warnings;
  std::string_view value{};
  bool on = true;  // false: --no-NAME
};

struct OptionEntry {
  char letter = 0;               // 0: none
  std::string_view name;         // without dashes
  std::string_view parameter{};  // "SECONDS" for --help; empty: it takes none
  std::string_view help{};       // empty: not shown
  // One of the three says what happens; none: accepted and without effect.
  bool Options::*flag = nullptr;
  std::string Options::*text = nullptr;
  Refusal (*handle)(const OptionCall& call) = nullptr;

  [[nodiscard]] constexpr bool takes_value() const { return !parameter.empty(); }
};

[[nodiscard]] std::span<const OptionEntry> option_table();

}  // namespace pollux::fetch
