// In place of the heap guard where there is no glibc: tests say the same, and the heap is not watched. What it would find does not depend on the C
// library; the builds with glibc find it.
#include "tests/support/heap_guard.hpp"

namespace pollux::heap_guard {

void start() noexcept {}
void stop() noexcept {}
std::uint64_t calls() noexcept {
  return 0;
}

template <Rule rule>
Scope<rule>::Scope() noexcept : before_{Rule::as_program} {}
template <Rule rule>
Scope<rule>::~Scope() {
  static_cast<void>(before_);
}
template class Scope<Rule::forbidden>;
template class Scope<Rule::allowed>;

}  // namespace pollux::heap_guard
