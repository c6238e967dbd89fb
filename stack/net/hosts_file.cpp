#include "stack/net/hosts_file.hpp"

#include <algorithm>

#include "stack/base/text.hpp"

namespace pollux::net {

void HostsScan::feed(std::string_view piece) noexcept {
  for (const char c : piece) {
    take(c);
  }
}

void HostsScan::take(char c) noexcept {
  if (c == '\n') {
    end_word();
    state_ = State::before_address;
    return;
  }
  if (state_ == State::rest_of_line) {
    return;
  }
  if (c == '#') {
    end_word();
    state_ = State::rest_of_line;
    return;
  }
  if (base::is_blank(c) || c == '\r') {
    end_word();
    return;
  }
  switch (state_) {
    case State::before_address:
      state_ = State::address;
      word_size_ = 0;
      [[fallthrough]];
    case State::address:
      if (word_size_ == word_.size()) {
        state_ = State::rest_of_line;  // no address is so long
        return;
      }
      word_[word_size_++] = c;
      return;
    case State::before_name:
      state_ = State::name;
      word_size_ = 0;
      is_same_ = true;
      [[fallthrough]];
    case State::name:
      // One byte more than the name has may be a last dot.
      is_same_ = is_same_ && word_size_ <= name_.size() &&
                 (word_size_ == name_.size() ? c == '.' : base::to_lower(c) == base::to_lower(name_[word_size_]));
      ++word_size_;
      return;
    case State::rest_of_line:
      return;
  }
}

void HostsScan::end_word() noexcept {
  if (state_ == State::address) {
    const auto address = port::parse_ip({word_.data(), word_size_});
    if (address) {
      address_ = *address;
    }
    state_ = address ? State::before_name : State::rest_of_line;
  } else if (state_ == State::name) {
    state_ = State::before_name;
    if (is_same_ && word_size_ >= name_.size()) {
      add_address();
      state_ = State::rest_of_line;
    }
  }
}

void HostsScan::add_address() noexcept {
  const std::span<const port::Address> known = addresses();
  if (count_ < addresses_.size() && std::find(known.begin(), known.end(), address_) == known.end()) {
    addresses_[count_++] = address_;
  }
}

}  // namespace pollux::net
