// SimPort: the file calls.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "port/ensure.hpp"
#include "port/sim/sim_detail.hpp"
#include "port/sim/sim_port.hpp"

namespace pollux::port {

using sim::make_id;
using sim::next_generation;
using sim::slots_limit;
using sim::stop;

namespace {

// Absolute, or with ".." for a component: refused whatever exists (see Port::open_file).
bool leads_out(std::string_view path) noexcept {
  if (path.starts_with('/')) {
    return true;
  }
  while (!path.empty()) {
    const std::string_view component = path.substr(0, path.find('/'));
    if (component == "..") {
      return true;
    }
    path.remove_prefix(std::min(path.size(), component.size() + 1));
  }
  return false;
}

}  // namespace

File SimPort::take_file(std::size_t node) noexcept {
  for (std::size_t i = 0; i < open_files_.size(); ++i) {
    OpenFile& file = open_files_[i];
    if (!file.is_open) {
      file = {.is_open = true, .generation = next_generation(file.generation), .node = node};
      ++files_open_;
      return File{make_id(file.generation, host_, i)};
    }
  }
  stop("SimPort: no free file although one was counted");
}

SimPort::OpenFile& SimPort::existing_file(File file, const char* message) noexcept {
  const std::size_t index = static_cast<std::uint32_t>(file.id) & (slots_limit - 1);
  const bool is_known = file.is_open() && index < open_files_.size() && open_files_[index].is_open &&
                        make_id(open_files_[index].generation, host_, index) == file.id;
  if (!is_known) {
    stop(message);
  }
  return open_files_[index];
}

FileInfo SimPort::info_of(std::size_t node) noexcept {
  const bool is_directory = files_.is_directory(node);
  return FileInfo{.file = take_file(node),
                  .kind = is_directory ? FileKind::directory : FileKind::regular,
                  .size = is_directory ? 0 : files_.size(node),
                  .modified = files_.modified(node),
                  .change_id = files_.change_id(node)};
}

Result<File, Error> SimPort::open_directory(std::string_view path) {
  if (files_open_ == open_files_.size() || !has_descriptor()) {
    return Failure{failed(Error::no_descriptors)};
  }
  if (path.empty()) {
    return Failure{failed(Error::not_found)};
  }
  const Result<std::size_t, Error> node = files_.find(0, path, false);
  if (!node) {
    return Failure{failed(node.error())};
  }
  if (!files_.is_directory(node.value())) {
    return Failure{failed(Error::not_found)};
  }
  return take_file(node.value());
}

Result<FileInfo, Error> SimPort::open_file(File root, std::string_view path) {
  const std::size_t top = existing_file(root, "SimPort::open_file: the root is closed or of another port").node;
  ENSURE(files_.is_directory(top));
  if (leads_out(path)) {
    return Failure{failed(Error::outside)};
  }
  if (files_open_ == open_files_.size() || !has_descriptor()) {
    return Failure{failed(Error::no_descriptors)};
  }
  const Result<std::size_t, Error> found = files_.find(top, path, true);
  if (!found) {
    return Failure{failed(found.error())};
  }
  const std::size_t node = found.value();
  if (!files_.is_directory(node) && !files_.is_regular(node)) {
    return Failure{failed(Error::not_regular)};
  }
  return info_of(node);
}

// A relative path begins at the top: the program's working directory is "/".
Result<FileInfo, Error> SimPort::open_path(std::string_view path) {
  if (files_open_ == open_files_.size() || !has_descriptor()) {
    return Failure{failed(Error::no_descriptors)};
  }
  if (path.empty()) {
    return Failure{failed(Error::not_found)};
  }
  const Result<std::size_t, Error> found = files_.find(0, path, false);
  if (!found && found.error() == Error::outside) {  // a circle of links
    system_error_ = ELOOP;
    return Failure{Error::failed};
  }
  if (!found) {
    return Failure{failed(found.error())};
  }
  if (!files_.is_regular(found.value())) {
    return Failure{failed(Error::not_regular)};
  }
  return info_of(found.value());
}

IoResult SimPort::read_file(File file, std::uint64_t offset, std::span<std::byte> out) {
  const std::size_t node = existing_file(file, "SimPort::read_file: the file is closed or of another port").node;
  ENSURE(!out.empty());
  if (!files_.is_regular(node)) {
    return failed(EISDIR);
  }
  if (files_.is_broken(node)) {
    return failed(EIO);
  }
  const std::string_view part = files_.content(node, offset).substr(0, out.size());
  if (part.empty()) {
    return {.status = IoStatus::end};
  }
  std::memcpy(out.data(), part.data(), part.size());
  return {.status = IoStatus::ok, .size = part.size()};
}

void SimPort::close_file(File file) {
  existing_file(file, "SimPort::close_file: the file is closed already or of another port").is_open = false;
  --files_open_;
}

}  // namespace pollux::port
