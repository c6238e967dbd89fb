// SimFiles: the file tree of one simulated machine, in memory. A test builds and changes it; a SimPort opens and reads it.
//
//   port.files().add_file("/www/index.html", "<p>hello");        // makes the directories above it
//   port.files().add_link("/www/escape", "../../etc/passwd");
//
// Building takes memory; looking up and reading never does.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "port/port.hpp"

namespace pollux::port {

class SimFiles {
 public:
  static constexpr WallTime default_time{.seconds = 1'767'225'600};  // 2026-01-01T00:00:00Z

  SimFiles();

  // ---- for the test. Paths start at the top of the tree; a slash in front is optional; directories above are made.

  // A regular file. One of the same name is replaced as rename(2) does it: whoever has the old one open still reads the old.
  void add_file(std::string_view path, std::string_view content, WallTime modified = default_time);
  // Overwrites the file in place: whoever has it open reads the new content. The file must exist.
  void change_file(std::string_view path, std::string_view content, WallTime modified);
  // A regular file of `size` bytes, `text` over and over again: larger than memory, as the 4 GiB of a recording are.
  void add_repeated_file(std::string_view path, std::string_view text, std::uint64_t size,
                         WallTime modified = default_time);
  void add_directory(std::string_view path);
  void add_link(std::string_view path, std::string_view target);  // a symbolic link
  void add_special(std::string_view path);                        // a device, fifo or socket
  void deny(std::string_view path);                               // opening it, or anything below it, is refused
  void remove(std::string_view path);                             // with everything below; open files stay readable
  void fail_reads(std::string_view path);                         // from now on reading it fails (a broken disk)

  // ---- for the port. A node is a small number, 0 for the top.

  // Follows `path` from `top`. `beneath`: as openat2(2) with RESOLVE_BENEATH; otherwise as an ordinary path.
  [[nodiscard]] Result<std::size_t, Error> find(std::size_t top, std::string_view path, bool beneath) const noexcept;
  [[nodiscard]] bool is_directory(std::size_t node) const noexcept { return nodes_[node].kind == Kind::directory; }
  [[nodiscard]] bool is_regular(std::size_t node) const noexcept { return nodes_[node].kind == Kind::regular; }
  [[nodiscard]] bool is_broken(std::size_t node) const noexcept { return nodes_[node].is_broken; }
  [[nodiscard]] std::uint64_t size(std::size_t node) const noexcept { return nodes_[node].size; }
  // The bytes from `offset` on, as many as lie together; empty from the end on.
  [[nodiscard]] std::string_view content(std::size_t node, std::uint64_t offset) const noexcept;
  [[nodiscard]] WallTime modified(std::size_t node) const noexcept { return nodes_[node].modified; }
  [[nodiscard]] std::uint64_t change_id(std::size_t node) const noexcept;

 private:
  enum class Kind : std::uint8_t { regular, directory, link, special };
  static constexpr std::size_t none = SIZE_MAX;

  struct Node {
    std::string name;
    std::size_t parent = 0;
    Kind kind = Kind::regular;
    std::string text;        // content of a file, target of a link
    std::uint64_t size = 0;  // bytes of a file, which are `text`, over and over again if that is shorter
    WallTime modified = default_time;
    std::uint64_t version = 1;
    bool is_denied = false;
    bool is_removed = false;  // no longer in its directory
    bool is_broken = false;
  };

  [[nodiscard]] std::size_t child(std::size_t parent, std::string_view name) const noexcept;
  std::size_t add(std::string_view path, Kind kind, std::string_view text);
  Node& existing(std::string_view path);
  void set_content(Node& node, std::string_view text, std::uint64_t size, WallTime modified);

  std::vector<Node> nodes_;
};

}  // namespace pollux::port
