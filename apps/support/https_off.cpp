// A build without TLS (POLLUX_TLS=OFF): its programs have no options for it.
#include "apps/support/https.hpp"

namespace pollux::apps {

void add(Options&, HttpsOptions&) noexcept {}

}  // namespace pollux::apps
