// SystemAddress: an Address as the kernel wants it. Private to port/linux.
#pragma once

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <string_view>

#include "port/address.hpp"
#include "port/ensure.hpp"

namespace pollux::port {

class SystemAddress {
 public:
  // 0, or the errno that says what is wrong with the endpoint (ENAMETOOLONG, EINVAL).
  [[nodiscard]] int set(const Endpoint& endpoint) noexcept {
    const Address& address = endpoint.address;
    switch (address.family) {
      case Family::none:
        break;
      case Family::local:
        return set_path(endpoint.path);
      case Family::ipv4:
        ipv4_ = {};
        ipv4_.sin_family = AF_INET;
        ipv4_.sin_port = htons(address.port);
        std::memcpy(&ipv4_.sin_addr, address.ip.data(), sizeof ipv4_.sin_addr);
        size_ = sizeof ipv4_;
        return 0;
      case Family::ipv6:
        ipv6_ = {};
        ipv6_.sin6_family = AF_INET6;
        ipv6_.sin6_port = htons(address.port);
        ipv6_.sin6_scope_id = address.scope;
        std::memcpy(&ipv6_.sin6_addr, address.ip.data(), sizeof ipv6_.sin6_addr);
        size_ = sizeof ipv6_;
        return 0;
    }
    ENSURE(address.family != Family::none);
    return EINVAL;
  }

  // A path, or '@' and an abstract name (unix(7)), which is not zero-terminated but counted.
  [[nodiscard]] int set_path(std::string_view path) noexcept {
    local_ = {};
    local_.sun_family = AF_UNIX;
    if (path.size() >= sizeof local_.sun_path) {
      return ENAMETOOLONG;
    }
    // Nothing after the '@' would make the kernel pick a name, and a zero byte would end a path early.
    if (path.empty() || path == "@" || path.find('\0') != std::string_view::npos) {
      return EINVAL;
    }
    std::memcpy(local_.sun_path, path.data(), path.size());
    const bool is_abstract = path.front() == '@';
    if (is_abstract) {
      local_.sun_path[0] = '\0';
    }
    size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (is_abstract ? 0 : 1));
    return 0;
  }

  // What the kernel wrote. Anything that is none of our families reads as Family::none.
  [[nodiscard]] Address address() const noexcept {
    Address address;
    switch (any_.sa_family) {
      case AF_INET:
        address.family = Family::ipv4;
        address.port = ntohs(ipv4_.sin_port);
        std::memcpy(address.ip.data(), &ipv4_.sin_addr, sizeof ipv4_.sin_addr);
        break;
      case AF_INET6:
        address.family = Family::ipv6;
        address.port = ntohs(ipv6_.sin6_port);
        address.scope = ipv6_.sin6_scope_id;
        std::memcpy(address.ip.data(), &ipv6_.sin6_addr, sizeof ipv6_.sin6_addr);
        break;
      case AF_UNIX:
        address.family = Family::local;
        break;
      default:
        break;
    }
    return address;
  }

  [[nodiscard]] int family() const noexcept { return any_.sa_family; }
  [[nodiscard]] const sockaddr* get() const noexcept { return &any_; }
  [[nodiscard]] socklen_t size() const noexcept { return size_; }
  // The socket file; empty text for an abstract name.
  [[nodiscard]] const char* path() const noexcept { return local_.sun_path; }

  // For calls that write an address: accept4, getsockname.
  [[nodiscard]] sockaddr* out() noexcept { return &any_; }
  [[nodiscard]] socklen_t* out_size() noexcept {
    size_ = sizeof local_;
    return &size_;
  }

 private:
  static_assert(sizeof(sockaddr_un) >= sizeof(sockaddr_in6), "sockaddr_un is the largest of the union");
  union {
    sockaddr any_;
    sockaddr_in ipv4_;
    sockaddr_in6 ipv6_;
    sockaddr_un local_{};
  };
  socklen_t size_ = 0;
};

// The value of a SOL_SOCKET option, or -1.
[[nodiscard]] inline int socket_option(int descriptor, int name) noexcept {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

}  // namespace pollux::port
