#include "stack/wire/scan.hpp"

namespace pollux::wire::scan::portable {
namespace {

template <typename Stop>
std::size_t find_by_byte(std::string_view text, std::size_t at) noexcept {
  while (at < text.size() && !Stop::is_end(text[at])) {
    ++at;
  }
  return at;
}

}  // namespace

std::size_t line_feed(std::string_view text, std::size_t at) noexcept {
  return find_by_byte<LineFeedStop>(text, at);
}
std::size_t token_end(std::string_view text, std::size_t at) noexcept {
  return find_by_byte<TokenStop>(text, at);
}
std::size_t target_end(std::string_view text, std::size_t at) noexcept {
  return find_by_byte<TargetStop>(text, at);
}
std::size_t value_end(std::string_view text, std::size_t at) noexcept {
  return find_by_byte<ValueStop>(text, at);
}

}  // namespace pollux::wire::scan::portable
