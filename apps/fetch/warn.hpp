// What is said on standard error at start: kept until the command line is read, since a later -s silences an earlier one's warning.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pollux::fetch {

class Warnings {
 public:
  void add(std::string_view text) { texts_.emplace_back(text); }
  [[nodiscard]] const std::vector<std::string>& texts() const { return texts_; }

 private:
  std::vector<std::string> texts_{};
};

}  // namespace pollux::fetch
