// Pairs: the names and values of a query, a form or a cookie, decoded into given memory and sorted by name, as httpbin
// shows them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "apps/support/json.hpp"

namespace pollux::httpbin {

struct Pair {
  std::string_view name;
  std::string_view value;
  std::string_view type{};   // media type of an uploaded file; empty otherwise
  std::uint32_t number = 0;  // order of arrival among equal names
};

// Memory for decoded text, given out piece by piece and taken back as a whole.
class Arena {
 public:
  constexpr explicit Arena(std::span<char> memory) noexcept : memory_{memory} {}
  void clear() noexcept { used_ = 0; }
  [[nodiscard]] std::span<char> rest() noexcept { return memory_.subspan(used_); }
  void take(std::size_t size) noexcept { used_ += size; }

 private:
  std::span<char> memory_;
  std::size_t used_ = 0;
};

class Pairs {
 public:
  // More pairs than that are counted as overflow; the request is answered 400.
  static constexpr std::size_t count_max = 512;

  constexpr explicit Pairs(Arena& arena) noexcept : arena_{arena} {}

  void clear() noexcept {
    count_ = 0;
    overflowed_ = false;
  }
  // Adds the pairs of "a=1&b=2". '+' is a blank, a '%' without two digits behind it is itself, "a" is "a=" (as Werkzeug
  // reads them).
  void add_encoded(std::string_view text) noexcept;
  // Views are kept.
  void add(std::string_view name, std::string_view value, std::string_view type = {}) noexcept;
  // To be called once all are added, before the rest.
  void sort() noexcept;

  [[nodiscard]] bool overflowed() const noexcept { return overflowed_; }
  [[nodiscard]] std::span<const Pair> items() const noexcept { return {pairs_.data(), count_}; }
  // The first value of that name.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
  // All of them as one object; a name that came several times has an array.
  void write(apps::JsonWriter& json) const noexcept;

 private:
  [[nodiscard]] std::string_view decode(std::string_view text) noexcept;

  Arena& arena_;
  std::array<Pair, count_max> pairs_{};
  std::size_t count_ = 0;
  bool overflowed_ = false;
};

// The value of a pair, or of anything else somebody sent: as text if it is UTF-8, else as a data: URL with its type
// (httpbin: json_safe).
void write_safely(apps::JsonWriter& json, std::string_view bytes, std::string_view type) noexcept;

}  // namespace pollux::httpbin
