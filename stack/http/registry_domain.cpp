// Domains below which everybody can have a name, so that no cookie may be for all of them: registries and services that give away names.
// Picked by hand from what is common; see cookie_jar.hpp for what that is worth.
#include <algorithm>
#include <array>
#include <string_view>

#include "stack/base/text.hpp"
#include "stack/http/cookie_jar.hpp"

namespace pollux::http {
namespace {

using namespace std::string_view_literals;

constexpr std::array registry_domains{
    "ac.at"sv,        "ac.id"sv,          "ac.il"sv,        "ac.in"sv,       "ac.jp"sv,          "ac.kr"sv,
    "ac.nz"sv,        "ac.th"sv,          "ac.uk"sv,        "ac.za"sv,       "appspot.com"sv,    "azurewebsites.net"sv,
    "blogspot.com"sv, "cloudfront.net"sv, "co.at"sv,        "co.id"sv,       "co.il"sv,          "co.in"sv,
    "co.jp"sv,        "co.ke"sv,          "co.kr"sv,        "co.nz"sv,       "co.th"sv,          "co.uk"sv,
    "co.za"sv,        "com.ar"sv,         "com.au"sv,       "com.br"sv,      "com.cn"sv,         "com.co"sv,
    "com.eg"sv,       "com.hk"sv,         "com.mx"sv,       "com.my"sv,      "com.ng"sv,         "com.pe"sv,
    "com.ph"sv,       "com.pk"sv,         "com.pl"sv,       "com.sa"sv,      "com.sg"sv,         "com.tr"sv,
    "com.tw"sv,       "com.ua"sv,         "com.vn"sv,       "ddns.net"sv,    "duckdns.org"sv,    "dyndns.org"sv,
    "dynv6.net"sv,    "edu.au"sv,         "edu.cn"sv,       "edu.tw"sv,      "eu.com"sv,         "firebaseapp.com"sv,
    "fly.dev"sv,      "gen.in"sv,         "github.io"sv,    "gitlab.io"sv,   "go.jp"sv,          "go.kr"sv,
    "gov.au"sv,       "gov.br"sv,         "gov.cn"sv,       "gov.in"sv,      "gov.sg"sv,         "gov.uk"sv,
    "govt.nz"sv,      "herokuapp.com"sv,  "hopto.org"sv,    "id.au"sv,       "ltd.uk"sv,         "me.uk"sv,
    "myfritz.net"sv,  "ne.jp"sv,          "net.au"sv,       "net.br"sv,      "net.cn"sv,         "net.in"sv,
    "net.nz"sv,       "net.pl"sv,         "net.uk"sv,       "netlify.app"sv, "ngrok-free.app"sv, "ngrok.io"sv,
    "nhs.uk"sv,       "no-ip.org"sv,      "onrender.com"sv, "or.at"sv,       "or.id"sv,          "or.jp"sv,
    "or.kr"sv,        "org.au"sv,         "org.br"sv,       "org.cn"sv,      "org.il"sv,         "org.in"sv,
    "org.nz"sv,       "org.pl"sv,         "org.tw"sv,       "org.uk"sv,      "org.za"sv,         "pages.dev"sv,
    "plc.uk"sv,       "police.uk"sv,      "sch.uk"sv,       "synology.me"sv, "uk.com"sv,         "us.com"sv,
    "vercel.app"sv,   "web.app"sv,        "workers.dev"sv,
};
static_assert(std::ranges::is_sorted(registry_domains), "the list is searched by halves");

// Like `<` of the lower-case texts; `b` is in lower case.
bool is_before(std::string_view b, std::string_view domain) {
  const std::size_t size = std::min(b.size(), domain.size());
  for (std::size_t i = 0; i < size; ++i) {
    const char c = base::to_lower(domain[i]);
    if (b[i] != c) {
      return b[i] < c;
    }
  }
  return b.size() < domain.size();
}

}  // namespace

bool is_registry_domain(std::string_view domain) noexcept {
  if (domain.find('.') == std::string_view::npos) {
    return true;
  }
  const auto at = std::lower_bound(registry_domains.begin(), registry_domains.end(), domain, is_before);
  return at != registry_domains.end() && base::equal_ignoring_case(*at, domain);
}

}  // namespace pollux::http
