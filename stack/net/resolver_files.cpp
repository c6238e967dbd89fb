// The resolver's files: /etc/resolv.conf and /etc/hosts, noticed when they change.
#include <algorithm>
#include <chrono>

#include "stack/net/hosts_file.hpp"
#include "stack/net/resolver.hpp"
#include "stack/net/resolver_storage.hpp"

namespace pollux::net {

namespace {

constexpr port::Duration files_pause = std::chrono::seconds{1};

// Calls take(piece) for each piece of the file, until its end, a failure, or `size` bytes.
template <typename Take>
void read_pieces(port::Port& port, port::File file, std::uint64_t size, std::span<std::byte> memory, Take&& take) {
  std::uint64_t offset = 0;
  while (offset < size) {
    const port::IoResult read = port.read_file(file, offset, memory);
    if (read.status != port::IoStatus::ok) {
      return;
    }
    take(std::string_view{reinterpret_cast<const char*>(memory.data()), read.size});
    offset += read.size;
  }
}

}  // namespace

// Who asks for many names does not open two files for each.
void Resolver::look_at_files(port::Time now) noexcept {
  if (tables_.has_seen_files && now - tables_.files_seen_at < files_pause) {
    return;
  }
  const bool is_first = !tables_.has_seen_files;
  tables_.has_seen_files = true;
  tables_.files_seen_at = now;
  const bool conf_changed = has_changed(config_.resolv_conf, tables_.conf_version);
  const bool hosts_changed = has_changed(config_.hosts, tables_.hosts_version);
  if (conf_changed || is_first) {
    read_conf();
  }
  // What other servers said, or what was not in the file, need not be true any more.
  if (conf_changed || hosts_changed) {
    outdate();
  }
}

// A file that cannot be looked at just now (no descriptors) counts as it was.
bool Resolver::has_changed(std::string_view path, FileVersion& version) noexcept {
  FileVersion seen;
  if (const auto file = config_.loop.port().open_path(path)) {
    seen = {.exists = true, .change_id = file->change_id};
    config_.loop.port().close_file(file->file);
  } else if (file.error() == port::Error::no_descriptors || file.error() == port::Error::failed) {
    return false;
  }
  const bool is_other = seen != version;
  version = seen;
  return is_other;
}

void Resolver::read_conf() noexcept {
  port::Port& port = config_.loop.port();
  const auto file = port.open_path(config_.resolv_conf);
  std::size_t size = 0;
  if (file) {
    // Read behind each other into the scratch; what is longer than that is not looked at.
    while (size < tables_.scratch.size()) {
      const port::IoResult read = port.read_file(file->file, size, std::span{tables_.scratch}.subspan(size));
      if (read.status != port::IoStatus::ok) {
        break;
      }
      size += read.size;
    }
    port.close_file(file->file);
  } else if (file.error() == port::Error::no_descriptors || file.error() == port::Error::failed) {
    tables_.conf_version = {};  // again at the next look
    return;
  }
  tables_.conf = parse_resolv_conf({reinterpret_cast<const char*>(tables_.scratch.data()), size});
}

void Resolver::scan_hosts(HostsScan& scan) noexcept {
  port::Port& port = config_.loop.port();
  if (const auto file = port.open_path(config_.hosts)) {
    read_pieces(port, file->file, file->size, tables_.scratch, [&](std::string_view piece) { scan.feed(piece); });
    port.close_file(file->file);
  }
  scan.finish();
}

// What is known belongs to the past: it is forgotten, and what is being asked for is answered but not kept.
void Resolver::outdate() noexcept {
  tables_.cache.clear();
  for (std::uint32_t i = 0; i < tables_.queries->size(); ++i) {
    if (Query* const query = tables_.queries->at(i)) {
      query->is_outdated = true;
    }
  }
}

}  // namespace pollux::net
