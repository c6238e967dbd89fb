#include "port/sim/sim_files.hpp"

#include <array>

namespace pollux::port {
namespace {

constexpr std::size_t path_max = 4095;  // bytes, PATH_MAX without its end
constexpr std::size_t name_max = 255;   // bytes, NAME_MAX
constexpr std::size_t links_max = 8;    // nested symbolic links; Linux takes 40 in all

// Cuts the first component off `rest`; empty when there is none left.
std::string_view next_component(std::string_view& rest) noexcept {
  while (!rest.empty() && rest.front() == '/') {
    rest.remove_prefix(1);
  }
  const std::string_view component = rest.substr(0, rest.find('/'));
  rest.remove_prefix(component.size());
  return component;
}

}  // namespace

SimFiles::SimFiles() {
  nodes_.push_back(Node{.name = {}, .kind = Kind::directory, .text = {}});
}

std::size_t SimFiles::child(std::size_t parent, std::string_view name) const noexcept {
  for (std::size_t i = 1; i < nodes_.size(); ++i) {
    if (nodes_[i].parent == parent && !nodes_[i].is_removed && nodes_[i].name == name) {
      return i;
    }
  }
  return none;
}

std::size_t SimFiles::add(std::string_view path, Kind kind, std::string_view text) {
  std::size_t current = 0;
  for (std::string_view rest = path, name = next_component(rest); !name.empty(); name = next_component(rest)) {
    const bool is_last = rest.find_first_not_of('/') == std::string_view::npos;
    std::size_t found = child(current, name);
    if (found != none && is_last && kind != Kind::directory) {
      nodes_[found].is_removed = true;
      found = none;
    }
    if (found == none) {
      found = nodes_.size();
      nodes_.push_back(Node{.name = std::string{name},
                            .parent = current,
                            .kind = is_last ? kind : Kind::directory,
                            .text = std::string{is_last ? text : std::string_view{}}});
    }
    ENSURE(is_last || nodes_[found].kind == Kind::directory);
    current = found;
  }
  return current;
}

SimFiles::Node& SimFiles::existing(std::string_view path) {
  std::size_t current = 0;
  for (std::string_view rest = path, name = next_component(rest); !name.empty(); name = next_component(rest)) {
    current = child(current, name);
    ENSURE(current != none);
  }
  return nodes_[current];
}

void SimFiles::add_file(std::string_view path, std::string_view content, WallTime modified) {
  set_content(nodes_[add(path, Kind::regular, {})], content, content.size(), modified);
}

void SimFiles::add_repeated_file(std::string_view path, std::string_view text, std::uint64_t size, WallTime modified) {
  ENSURE(!text.empty());
  set_content(nodes_[add(path, Kind::regular, {})], text, size, modified);
}

void SimFiles::set_content(Node& node, std::string_view text, std::uint64_t size, WallTime modified) {
  node.text.assign(text);
  node.size = size;
  node.modified = modified;
}

std::string_view SimFiles::content(std::size_t node, std::uint64_t offset) const noexcept {
  const Node& file = nodes_[node];
  if (offset >= file.size) {
    return {};
  }
  const auto at = static_cast<std::size_t>(offset % file.text.size());
  const std::uint64_t left = file.size - offset;
  return std::string_view{file.text}.substr(at, left < file.text.size() ? static_cast<std::size_t>(left) : SIZE_MAX);
}

void SimFiles::change_file(std::string_view path, std::string_view content, WallTime modified) {
  Node& node = existing(path);
  ENSURE(node.kind == Kind::regular);
  set_content(node, content, content.size(), modified);
  ++node.version;
}

void SimFiles::add_directory(std::string_view path) {
  add(path, Kind::directory, {});
}
void SimFiles::add_link(std::string_view path, std::string_view target) {
  add(path, Kind::link, target);
}
void SimFiles::add_special(std::string_view path) {
  add(path, Kind::special, {});
}
void SimFiles::deny(std::string_view path) {
  existing(path).is_denied = true;
}
void SimFiles::remove(std::string_view path) {
  existing(path).is_removed = true;
}
void SimFiles::fail_reads(std::string_view path) {
  existing(path).is_broken = true;
}

Result<std::size_t, Error> SimFiles::find(std::size_t top, std::string_view path, bool beneath) const noexcept {
  if (path.size() > path_max) {
    return Failure{Error::name_too_long};
  }
  std::array<std::string_view, links_max + 1> pending{path};  // the path, and the links being followed on top of it
  std::size_t depth = 1;
  std::size_t current = top;
  while (depth > 0) {
    const std::string_view name = next_component(pending[depth - 1]);
    if (name.empty()) {
      --depth;
      continue;
    }
    if (name.size() > name_max) {
      return Failure{Error::name_too_long};
    }
    if (nodes_[current].kind != Kind::directory) {
      return Failure{Error::not_found};
    }
    if (nodes_[current].is_denied) {
      return Failure{Error::permission_denied};
    }
    if (name == ".") {
      continue;
    }
    if (name == "..") {
      if (beneath && current == top) {
        return Failure{Error::outside};
      }
      current = nodes_[current].parent;
      continue;
    }
    const std::size_t found = child(current, name);
    if (found == none) {
      return Failure{Error::not_found};
    }
    if (nodes_[found].kind != Kind::link) {
      current = found;
      continue;
    }
    const std::string_view target = nodes_[found].text;
    if (depth == pending.size()) {
      return Failure{Error::outside};  // ELOOP: leads nowhere, like a link that leads out
    }
    if (target.starts_with('/')) {
      if (beneath) {
        return Failure{Error::outside};
      }
      current = 0;
    }
    pending[depth++] = target;
  }
  if (nodes_[current].is_denied) {
    return Failure{Error::permission_denied};
  }
  if (path.ends_with('/') && nodes_[current].kind != Kind::directory) {
    return Failure{Error::not_found};
  }
  return current;
}

std::uint64_t SimFiles::change_id(std::size_t node) const noexcept {
  constexpr std::uint64_t spread = 0x9E3779B97F4A7C15U;
  std::uint64_t id = (static_cast<std::uint64_t>(node) + 1) * spread;
  id = (id ^ nodes_[node].version) * spread;
  id = (id ^ static_cast<std::uint64_t>(nodes_[node].modified.seconds)) * spread;
  return id ^ nodes_[node].size;
}

}  // namespace pollux::port
