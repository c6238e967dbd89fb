// Limits of a resolver that contradict themselves, chosen by a macro.
#include "stack/net/resolver_storage.hpp"

#ifndef LIMITS
#define LIMITS
#endif

namespace {

constinit pollux::net::ResolverStorage<pollux::net::ResolverLimits{LIMITS}> storage;

}  // namespace

const pollux::net::ResolverTables* tables() {
  return &storage.memory().tables;
}
