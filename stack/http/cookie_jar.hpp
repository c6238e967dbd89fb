// CookieJar: which cookies a client has, and which go with which request - RFC 6265 sections 5.3 and 5.4 on a fixed number of entries - and
// the Netscape cookie file, as curl reads and writes it.
//
//   constinit CookieJarStorage<32> memory;                        // 32 entries of 512 bytes of text
//   CookieJar jar{memory.memory()};
//   jar.store({.host = "h.example", .path = "/a/b", .is_secure = true}, "id=42; Path=/; Secure", now);
//   jar.write({.host = "h.example", .path = "/", .is_secure = true}, now, out) == "id=42"      // for the Cookie field; empty: none
//
// Beyond RFC 6265, as browsers have it (RFC 6265bis): Secure only over https; a cookie from http does not replace or hide one that is
// Secure; the prefixes __Secure- and __Host- are enforced. HttpOnly and SameSite are kept and not enforced: no page, no script asks here.
//
// Domain: the attribute must be the host or a domain above it. A single label ("com"), or one of a short built-in list of registries
// and hosting services below which strangers are neighbours ("co.uk", "github.io"), counts only if it is the host itself, and then for that
// host alone. The list is not the Public Suffix List, which is 250 kB: for a device that talks to whole strangers' sites it is a help, not a
// wall. An IP address counts exactly. A name's dot at the end is taken off the host and refused in the attribute.
//
// Time: Max-Age goes over Expires. A clock before 2020 has never been set (a board without a battery). Then Max-Age runs by that clock and
// moves along when the clock is set, and Expires waits for it: nothing ends because the clock was wrong, except what ends before 2020,
// which is how servers delete. A clock set wrongly to a time after 2020 is believed.
//
// What happens when something runs out: no entry free - the expired ones go, else the one of the same domain that was not used for longest,
// else of all (stats().evicted); a cookie that does not fit an entry - refused (too_long); no room in `out` for all that match - the
// first ones that fit are written (left_out). Values are written back byte by byte as they came, quotes too (RFC 6265 section 5.4).
//
// Not here: the Public Suffix List, Partitioned, names without a host, non-ASCII hosts (refused), limits for one domain.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "port/time.hpp"
#include "stack/wire/cookie.hpp"

namespace pollux::http {

// The URL that a response came from, or that a request goes to.
struct CookieOrigin {
  std::string_view host{};  // name or address; brackets, a port and upper case do not matter
  std::string_view path{};  // as it stands in the URL; a query behind it does not matter
  bool is_secure = false;   // https
};

// What store() did with a cookie.
enum class CookieOutcome : std::uint8_t {
  stored,
  replaced,  // the one with this name, domain and path
  deleted,   // it had ended already: what was there under its name, domain and path is gone
  // refused; the jar is as it was:
  malformed,       // no name, or a byte that no cookie has
  bad_host,        // the origin's host is empty, or none
  foreign_domain,  // Domain is neither the host nor above it, or belongs to a registry
  not_secure,      // Secure from http, or it would replace or hide one that is Secure
  bad_prefix,      // __Secure- or __Host- without what they promise
  too_long,        // name, value, domain and path together: more than an entry holds
};
// "the domain is not the host's": static text.
[[nodiscard]] std::string_view describe(CookieOutcome outcome) noexcept;

// A cookie of the jar. Views into it, valid until the next call that is not const.
struct Cookie {
  std::string_view name{};
  std::string_view value{};   // without the quotes
  std::string_view domain{};  // lower case, without a dot in front
  std::string_view path{};
  std::optional<port::WallTime>
      expires{};  // nothing: ends with the session; or with a Max-Age by a clock that is not set
  bool host_only = true;
  bool secure = false;
  bool http_only = false;
  bool is_quoted = false;
  wire::SameSite same_site = wire::SameSite::unset;
};

struct CookieJarStats {
  std::uint64_t stored = 0;
  std::uint64_t replaced = 0;
  std::uint64_t deleted = 0;
  std::uint64_t refused = 0;   // all refusals but for length
  std::uint64_t too_long = 0;  // refused for length
  std::uint64_t expired = 0;   // removed because their time was over
  std::uint64_t evicted = 0;   // removed to make room
  std::uint64_t left_out = 0;  // matched a request and did not fit its Cookie field
  std::size_t used_max = 0;    // most entries ever in use
};

// Why a line of a cookie file is not a cookie.
enum class CookieFileProblem : std::uint8_t {
  none,
  fields,      // not seven fields with tabs between them (six: an empty value)
  bad_domain,  // empty, or no host
  bad_flag,    // the second or fourth field is neither TRUE nor FALSE
  bad_path,    // does not begin with '/'
  bad_expiry,  // no decimal number of seconds
  bad_name,    // no token
  bad_value,   // a byte that no cookie has
  bad_prefix,  // __Secure- or __Host- without what they promise
  too_long,    // for an entry
};
// "the path does not begin with a slash": static text.
[[nodiscard]] std::string_view describe(CookieFileProblem problem) noexcept;

struct CookieFileResult {
  std::size_t loaded = 0;
  std::size_t expired = 0;                              // left out: their time is over
  std::size_t refused = 0;                              // lines with a problem; the others are loaded
  std::size_t line = 0;                                 // of the first problem, from 1; 0: there was none
  CookieFileProblem problem = CookieFileProblem::none;  // of that line
};

// How far save_line() has come. A new one begins at the beginning.
struct CookieFileCursor {
  std::uint64_t next = 0;  // 0: the header line; else entries made from this one on
};

// The fixed part of an entry. All zero: free.
struct CookieEntry {
  enum class Expiry : std::uint8_t {
    session,
    wall,      // `expires` is calendar time
    relative,  // `expires` is by a clock that is not set
  };
  std::int64_t expires = 0;
  std::uint64_t made = 0;  // order of making; 0: the entry is free
  std::uint64_t used = 0;  // order of use
  // The text: name, value, domain, path, without anything between them.
  std::uint16_t name_size = 0;
  std::uint16_t value_size = 0;
  std::uint16_t domain_size = 0;
  std::uint16_t path_size = 0;
  std::uint16_t next = 0;  // index + 1, while write() sorts
  Expiry expiry = Expiry::session;
  wire::SameSite same_site = wire::SameSite::unset;
  bool host_only = false;
  bool secure = false;
  bool http_only = false;
  bool is_quoted = false;
};

struct CookieJarMemory {
  std::span<CookieEntry> entries{};
  std::span<char> texts{};  // text_size for each entry
  std::size_t text_size = 0;
};
template <std::size_t entry_count, std::size_t text_size_ = 512>
struct CookieJarStorage {
  static_assert(entry_count >= 1, "a jar without an entry keeps nothing: have no jar instead");
  static_assert(entry_count < 0xFFFF, "entries are numbered with 16 bits");
  static_assert(text_size_ >= 64, "below 64 bytes of text hardly any cookie fits");
  static_assert(text_size_ <= 0xFFFF, "the sizes of an entry's texts have 16 bits");

  std::array<CookieEntry, entry_count> entries{};
  std::array<char, entry_count * text_size_> texts{};
  [[nodiscard]] CookieJarMemory memory() noexcept {
    return {.entries = entries, .texts = texts, .text_size = text_size_};
  }
};

class CookieJar {
 public:
  // An empty jar, whatever is in the memory, which outlives it.
  explicit CookieJar(const CookieJarMemory& memory) noexcept;
  CookieJar(const CookieJar&) = delete;
  CookieJar& operator=(const CookieJar&) = delete;

  // Keeps what a Set-Cookie field of a response from `origin` says. One call for each field line.
  CookieOutcome store(const CookieOrigin& origin, std::string_view set_cookie, port::WallTime now) noexcept;
  // Writes the value of the Cookie field for a request to `origin`: "a=1; b=2", longer paths first, then older cookies. Empty: no field.
  [[nodiscard]] std::string_view write(const CookieOrigin& origin, port::WallTime now, std::span<char> out) noexcept;

  void clear() noexcept;
  // Forgets what ends with the session (curl: --junk-session-cookies).
  void clear_session() noexcept;

  [[nodiscard]] std::size_t size() const noexcept { return used_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return memory_.entries.size(); }
  // The cookie in entry `index`, below capacity(); nothing if that is free. It may have ended without having been noticed yet.
  [[nodiscard]] std::optional<Cookie> at(std::size_t index) const noexcept;
  [[nodiscard]] const CookieJarStats& stats() const noexcept { return stats_; }

  // The jar as a file, line by line, without the ends of lines; nothing when all were given. `out` has at least line_size() bytes. Session
  // cookies have the expiry 0, as curl writes them, and so have those whose end is not known because the clock is not set; SameSite is
  // not in this format.
  //   CookieFileCursor cursor;
  //   while (const auto line = jar.save_line(cursor, now, out)) { append(*line); append("\n"); }
  [[nodiscard]] std::optional<std::string_view> save_line(CookieFileCursor& cursor, port::WallTime now,
                                                          std::span<char> out) noexcept;
  [[nodiscard]] std::size_t line_size() const noexcept { return memory_.text_size + 64; }

  // Adds one line of a file; comments, empty lines and cookies whose time is over are no problem and add nothing.
  CookieFileProblem load_line(std::string_view line, port::WallTime now) noexcept;
  // Adds a whole file; lines end with LF or CR LF. A line with a problem does not keep the others from being loaded.
  [[nodiscard]] CookieFileResult load(std::string_view text, port::WallTime now) noexcept;

 private:
  using Entry = CookieEntry;
  // When a cookie ends.
  struct Ending {
    Entry::Expiry expiry = Entry::Expiry::session;
    std::int64_t seconds = 0;
    bool is_over = false;
  };
  enum class Loaded : std::uint8_t { nothing, cookie, expired };

  // Takes note of the clock, and moves cookies by a clock that was not set to the one that is. Returns a time that can be reckoned with.
  [[nodiscard]] port::WallTime observe(port::WallTime now) noexcept;
  [[nodiscard]] static bool is_expired(const Entry& entry, port::WallTime now) noexcept;
  [[nodiscard]] static Ending ending_of(const wire::SetCookie& cookie, port::WallTime now) noexcept;
  [[nodiscard]] static Ending ending_at(std::int64_t seconds, port::WallTime now) noexcept;

  [[nodiscard]] Cookie view(const Entry& entry) const noexcept;
  [[nodiscard]] char* text_of(const Entry& entry) const noexcept;
  [[nodiscard]] Entry* find(std::string_view name, std::string_view domain, std::string_view path) const noexcept;
  [[nodiscard]] bool would_hide_a_secure_one(const Cookie& cookie, port::WallTime now) const noexcept;
  [[nodiscard]] bool fits(const Cookie& cookie) const noexcept;
  CookieOutcome put(const Cookie& cookie, const Ending& ending, port::WallTime now) noexcept;
  // A free entry, or one that was made free; there is always one.
  Entry& make_room(std::string_view domain, port::WallTime now) noexcept;
  std::size_t remove_expired(port::WallTime now) noexcept;
  void fill(Entry& entry, const Cookie& cookie, const Ending& ending) noexcept;
  void remove(Entry& entry) noexcept;
  CookieOutcome refuse(CookieOutcome outcome) noexcept;
  // Links the entries that go with a request, in their order; returns the index of the first + 1, or 0.
  [[nodiscard]] std::uint16_t link_matches(std::string_view host, const CookieOrigin& origin) noexcept;
  CookieFileProblem read_line(std::string_view line, port::WallTime now, Loaded& loaded) noexcept;

  CookieJarMemory memory_;
  std::size_t used_ = 0;
  std::size_t relative_ = 0;      // entries with Expiry::relative
  std::uint64_t serial_ = 0;      // of the last making or use
  port::WallTime unset_clock_{};  // what the clock said when it was last seen not set
  CookieJarStats stats_{};
};

// Whether `domain` (either case, no dot in front) is a single label or one of the built-in list: nobody's own.
[[nodiscard]] bool is_registry_domain(std::string_view domain) noexcept;

}  // namespace pollux::http
