#include "stack/wire/status.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace pollux::wire {
namespace {

struct Entry {
  std::int16_t code;
  std::string_view phrase;
};

// In the words of RFC 9110 where it has any. 418 is reserved there; everybody knows its phrase (RFC 2324).
constexpr std::array entries{
    Entry{100, "Continue"},
    Entry{101, "Switching Protocols"},
    Entry{102, "Processing"},
    Entry{103, "Early Hints"},
    Entry{200, "OK"},
    Entry{201, "Created"},
    Entry{202, "Accepted"},
    Entry{203, "Non-Authoritative Information"},
    Entry{204, "No Content"},
    Entry{205, "Reset Content"},
    Entry{206, "Partial Content"},
    Entry{207, "Multi-Status"},
    Entry{208, "Already Reported"},
    Entry{226, "IM Used"},
    Entry{300, "Multiple Choices"},
    Entry{301, "Moved Permanently"},
    Entry{302, "Found"},
    Entry{303, "See Other"},
    Entry{304, "Not Modified"},
    Entry{305, "Use Proxy"},
    Entry{307, "Temporary Redirect"},
    Entry{308, "Permanent Redirect"},
    Entry{400, "Bad Request"},
    Entry{401, "Unauthorized"},
    Entry{402, "Payment Required"},
    Entry{403, "Forbidden"},
    Entry{404, "Not Found"},
    Entry{405, "Method Not Allowed"},
    Entry{406, "Not Acceptable"},
    Entry{407, "Proxy Authentication Required"},
    Entry{408, "Request Timeout"},
    Entry{409, "Conflict"},
    Entry{410, "Gone"},
    Entry{411, "Length Required"},
    Entry{412, "Precondition Failed"},
    Entry{413, "Content Too Large"},
    Entry{414, "URI Too Long"},
    Entry{415, "Unsupported Media Type"},
    Entry{416, "Range Not Satisfiable"},
    Entry{417, "Expectation Failed"},
    Entry{418, "I'm a teapot"},
    Entry{421, "Misdirected Request"},
    Entry{422, "Unprocessable Content"},
    Entry{423, "Locked"},
    Entry{424, "Failed Dependency"},
    Entry{425, "Too Early"},
    Entry{426, "Upgrade Required"},
    Entry{428, "Precondition Required"},
    Entry{429, "Too Many Requests"},
    Entry{431, "Request Header Fields Too Large"},
    Entry{451, "Unavailable For Legal Reasons"},
    Entry{500, "Internal Server Error"},
    Entry{501, "Not Implemented"},
    Entry{502, "Bad Gateway"},
    Entry{503, "Service Unavailable"},
    Entry{504, "Gateway Timeout"},
    Entry{505, "HTTP Version Not Supported"},
    Entry{506, "Variant Also Negotiates"},
    Entry{507, "Insufficient Storage"},
    Entry{508, "Loop Detected"},
    Entry{510, "Not Extended"},
    Entry{511, "Network Authentication Required"},
};

constexpr bool is_sorted() {
  for (std::size_t i = 1; i < entries.size(); ++i) {
    if (entries[i - 1].code >= entries[i].code) {
      return false;
    }
  }
  return true;
}
static_assert(is_sorted(), "the table is searched by halving, so its codes must be in order");

}  // namespace

std::string_view reason_phrase(int code) noexcept {
  std::size_t begin = 0;
  std::size_t end = entries.size();
  while (begin < end) {
    const std::size_t middle = begin + (end - begin) / 2;
    if (entries[middle].code == code) {
      return entries[middle].phrase;
    }
    if (entries[middle].code < code) {
      begin = middle + 1;
    } else {
      end = middle;
    }
  }
  return {};
}

}  // namespace pollux::wire
