// In place of the resolver in a build without it (-DPOLLUX_RESOLVER=OFF): what the client says to one. There is none then, as nobody can make
// one; a transport without a resolver takes addresses and localhost.
#include "port/ensure.hpp"
#include "stack/net/resolver.hpp"

namespace pollux::net {

void Lookup::start(std::string_view, std::uint16_t) noexcept {
  ENSURE(state_ == State::ready && !"this build has no resolver");
}

void Lookup::cancel() noexcept {}

void Resolver::forget() noexcept {}

}  // namespace pollux::net
