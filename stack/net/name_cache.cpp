#include "stack/net/name_cache.hpp"

#include <algorithm>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"

namespace pollux::net {

namespace {

[[nodiscard]] bool is_for(const CachedName& entry, const AskedName& name) noexcept {
  return entry.is_absolute == name.is_absolute &&
         base::equal_ignoring_case({entry.name.data(), entry.name_size}, name.text);
}

}  // namespace

const CachedName* NameCache::find(const AskedName& name, port::Time now) const noexcept {
  for (const CachedName& entry : entries_) {
    if (is_for(entry, name)) {
      return now < entry.expires ? &entry : nullptr;
    }
  }
  return nullptr;
}

// The entry of this name; else one that is unused or over; else the one that ends first.
CachedName* NameCache::slot_for(const AskedName& name, port::Time now) noexcept {
  CachedName* best = nullptr;
  port::Time best_end = port::never;
  for (CachedName& entry : entries_) {
    if (is_for(entry, name)) {
      return &entry;
    }
    const port::Time end = entry.name_size == 0 || entry.expires <= now ? port::Time::min() : entry.expires;
    if (best == nullptr || end < best_end) {
      best = &entry;
      best_end = end;
    }
  }
  return best;
}

void NameCache::store(const AskedName& name, std::span<const port::Address> addresses, NameError error, port::Time now,
                      port::Duration lifetime) noexcept {
  ENSURE(!name.text.empty());
  ENSURE(name.text.size() <= name_size_max);
  ENSURE(addresses.size() <= addresses_max);
  CachedName* const entry = slot_for(name, now);
  if (entry == nullptr) {
    return;
  }
  entry->expires = now + lifetime;
  entry->is_absolute = name.is_absolute;
  entry->error = error;
  entry->name_size = static_cast<std::uint8_t>(name.text.size());
  std::copy(name.text.begin(), name.text.end(), entry->name.begin());
  entry->address_count = static_cast<std::uint8_t>(addresses.size());
  std::copy(addresses.begin(), addresses.end(), entry->addresses.begin());
}

void NameCache::clear() noexcept {
  for (CachedName& entry : entries_) {
    entry.name_size = 0;
  }
}

}  // namespace pollux::net
