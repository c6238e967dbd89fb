// The two heads that the parser is measured with.
#pragma once

#include <string_view>

namespace pollux::wire {

inline constexpr std::string_view small_get = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

inline constexpr std::string_view browser_get =
    "GET /index.html HTTP/1.1\r\n"
    "Host: 192.168.1.50:8080\r\n"
    "Connection: keep-alive\r\n"
    "Cache-Control: max-age=0\r\n"
    "Upgrade-Insecure-Requests: 1\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 "
    "Safari/537.36\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    "Sec-GPC: 1\r\n"
    "Accept-Language: en-US,en;q=0.9,de-DE;q=0.8,de;q=0.7,fr;q=0.6\r\n"
    "Referer: http://192.168.1.50:8080/dashboard\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "If-None-Match: \"65a1-1f3\"\r\n"
    "If-Modified-Since: Tue, 10 Nov 2009 23:00:00 GMT\r\n"
    "Cookie: session=0123456789abcdef0123456789\r\n"
    "DNT: 1\r\n\r\n";

}  // namespace pollux::wire
