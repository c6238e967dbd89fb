#include "port/port.hpp"

#include "port/ensure.hpp"

// What a call of a pure virtual function ends in; normally part of libstdc++, which pollux does without. Weak, so that
// the one of libstdc++ is taken where it is linked. Only a call from a constructor or destructor of Port could come
// here: a bug.
extern "C" [[gnu::weak]] void __cxa_pure_virtual() {  // NOLINT(bugprone-reserved-identifier): the C++ ABI's name
  pollux::port::ensure_failed(__FILE__, __LINE__, "no pure virtual function is called");
}

namespace pollux::port {

std::string_view describe(Error error) noexcept {
  switch (error) {
    case Error::would_block:
      return "not ready yet";
    case Error::aborted:
      return "connection given up by the peer";
    case Error::no_descriptors:
      return "too many open sockets and files";
    case Error::no_memory:
      return "out of memory in the system";
    case Error::address_in_use:
      return "address already in use";
    case Error::address_not_here:
      return "address not available on this machine";
    case Error::permission_denied:
      return "permission denied";
    case Error::not_found:
      return "no such file or directory";
    case Error::not_regular:
      return "neither a regular file nor a directory";
    case Error::outside:
      return "path leads out of its directory";
    case Error::name_too_long:
      return "name too long";
    case Error::refused:
      return "connection refused";
    case Error::unreachable:
      return "network or host unreachable";
    case Error::timed_out:
      return "connection timed out";
    case Error::failed:
      return "input or output error";
  }
  return "unknown error";  // a value that is no Error: cast from somewhere
}

}  // namespace pollux::port
