// Output: where a body goes - standard output, or a file that is made with the first byte, so that a transfer that brings nothing
// because it failed leaves no file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pollux::fetch {

struct OutputConfig {
  std::string path{};  // empty: standard output
  bool create_dirs = false;
  bool append = false;  // -C: behind what is there
};

class Output {
 public:
  Output() = default;
  ~Output() { close(); }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // `config` outlives the use.
  void start(const OutputConfig& config);
  // Appends. False if it cannot be written; nothing more is then.
  [[nodiscard]] bool write(std::string_view text);
  // A body is binary and would go to a terminal that nobody asked to take it: refused as curl refuses it.
  [[nodiscard]] bool is_binary_for_terminal(std::string_view text) const;
  // Makes the file if nothing was written: an empty body is a file too. False as write().
  [[nodiscard]] bool touch();
  // Drops what was written to a file, for another try. What went to standard output stays, as in curl.
  void truncate();
  // False if the last bytes could not be written.
  bool close();

  [[nodiscard]] bool is_standard() const { return config_ == nullptr || config_->path.empty(); }
  [[nodiscard]] std::uint64_t written() const { return written_; }

 private:
  [[nodiscard]] bool open();

  const OutputConfig* config_ = nullptr;
  int descriptor_ = -1;
  std::uint64_t written_ = 0;
  bool failed_ = false;
};

}  // namespace pollux::fetch
