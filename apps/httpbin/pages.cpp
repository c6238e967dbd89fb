// The answers that are always the same. They are sent from where they are, without a copy.
#include "apps/httpbin/pages.hpp"

#include <string_view>

namespace pollux::httpbin {

using http::Request;
using http::ResponseWriter;
using namespace std::string_view_literals;

namespace {

void send(ResponseWriter& writer, std::string_view type, std::string_view page) noexcept {
  writer.set("Content-Type", type);
  writer.send_static(page);
}

constexpr std::string_view html_page = R"(<!DOCTYPE html>
<html>
  <head></head>
  <body>
    <h1>Herman Melville - Moby-Dick</h1>
    <p>Call me Ishmael. Some years ago - never mind how long precisely - having little or no money in my purse, and
    nothing particular to interest me on shore, I thought I would sail about a little and see the watery part of the world.</p>
  </body>
</html>
)";

constexpr std::string_view json_page = R"({
  "slideshow": {
    "author": "Yours Truly",
    "date": "date of publication",
    "slides": [
      {
        "title": "Wake up to WonderWidgets!",
        "type": "all"
      },
      {
        "items": [
          "Why <em>WonderWidgets</em> are great",
          "Who <em>buys</em> WonderWidgets"
        ],
        "title": "Overview",
        "type": "all"
      }
    ],
    "title": "Sample Slide Show"
  }
}
)";

constexpr std::string_view xml_page = R"(<?xml version='1.0' encoding='us-ascii'?>
<slideshow title="Sample Slide Show" date="Date of publication" author="Yours Truly">
  <slide type="all">
    <title>Wake up to WonderWidgets!</title>
  </slide>
  <slide type="all">
    <title>Overview</title>
    <item>Why <em>WonderWidgets</em> are great</item>
    <item/>
    <item>Who <em>buys</em> WonderWidgets</item>
  </slide>
</slideshow>
)";

constexpr std::string_view deny_page =
    "\n"
    "      .-''''''-.\n"
    "    .' _      _ '.\n"
    "   /   O      O   \\\n"
    "  :                :\n"
    "  |                |\n"
    "  :       __       :\n"
    "   \\  .-\"`  `\"-.  /\n"
    "    '.          .'\n"
    "      '-......-'\n"
    " YOU SHOULDN'T BE HERE\n";

// One grey pixel (PNG, W3C 2003): signature, IHDR 1 x 1 with 8 bits of grey, IDAT, IEND.
constexpr std::string_view png_image =
    "\x89"
    "PNG\r\n\x1A\n"
    "\x00\x00\x00\x0D"
    "IHDR"
    "\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00\x3A\x7E\x9B\x55"
    "\x00\x00\x00\x0A"
    "IDAT"
    "\x78\xDA\x63\x68\x00\x00\x00\x82\x00\x81\xDA\x45\x08\x3B"
    "\x00\x00\x00\x00"
    "IEND"
    "\xAE\x42\x60\x82"sv;

constexpr std::string_view svg_image =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 100 100\">"
    "<circle cx=\"35\" cy=\"50\" r=\"12\"/><circle cx=\"65\" cy=\"50\" r=\"12\"/></svg>\n";

constexpr std::string_view index_page = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>pollux-httpbin</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
h2 { font-size: 1.1rem; margin: 1.5rem 0 .3rem }
td { padding: .1rem 1.5rem .1rem 0; vertical-align: top }
code, td:first-child { font-family: ui-monospace, monospace; white-space: nowrap }
</style>
</head>
<body>
<h1>pollux-httpbin</h1>
<p>Answers requests so that HTTP clients can be tested, as httpbin does; served by pollux.</p>
<h2>What was asked</h2>
<table>
<tr><td><a href="/get">/get</a> /post /put /patch /delete</td>
    <td>the request, by method</td></tr>
<tr><td><a href="/anything/a/b?c=d">/anything/{...}</a></td>
    <td>the request, any method</td></tr>
<tr><td><a href="/headers">/headers</a> <a href="/ip">/ip</a> <a href="/user-agent">/user-agent</a></td>
    <td>parts of it</td></tr>
<tr><td>/echo</td>
    <td>POST, PUT: the body, of any size, while it is sent</td></tr>
</table>
<h2>Statuses and redirects</h2>
<table>
<tr><td><a href="/status/418">/status/{codes}</a></td>
    <td>a status, or one of several by weight: 200:0.9,503:0.1</td></tr>
<tr><td><a href="/redirect/3">/redirect/{n}</a></td>
    <td>also /relative-redirect and /absolute-redirect</td></tr>
<tr><td><a href="/redirect-to?url=/get&amp;status_code=307">/redirect-to?url=&amp;status_code=</a></td>
    <td>to anywhere</td></tr>
</table>
<h2>Cookies and credentials</h2>
<table>
<tr><td><a href="/cookies">/cookies</a></td>
    <td>those that were sent</td></tr>
<tr><td><a href="/cookies/set/name/value">/cookies/set/{name}/{value}</a></td>
    <td>or /cookies/set?name=value, /cookies/delete?name</td></tr>
<tr><td><a href="/basic-auth/user/passwd">/basic-auth/{user}/{passwd}</a></td>
    <td>also /hidden-basic-auth, which answers 404</td></tr>
<tr><td><a href="/bearer">/bearer</a></td>
    <td>any token</td></tr>
</table>
<h2>Bytes and time</h2>
<table>
<tr><td><a href="/bytes/1024?seed=1">/bytes/{n}?seed=</a></td>
    <td>as many as you like</td></tr>
<tr><td><a href="/stream/5">/stream/{n}</a> <a href="/stream-bytes/1024">/stream-bytes/{n}</a></td>
    <td>chunked</td></tr>
<tr><td><a href="/range/1024">/range/{n}</a></td>
    <td>understands Range</td></tr>
<tr><td><a href="/delay/1">/delay/{seconds}</a></td>
    <td>at most ten</td></tr>
<tr><td><a href="/drip?numbytes=5&amp;duration=2">/drip?numbytes=&amp;duration=&amp;delay=&amp;code=</a></td>
    <td>byte by byte</td></tr>
</table>
<h2>Formats and metadata</h2>
<table>
<tr><td><a href="/gzip">/gzip</a> <a href="/deflate">/deflate</a></td>
    <td>compressed</td></tr>
<tr><td><a href="/cache">/cache</a> <a href="/cache/60">/cache/{seconds}</a> <a href="/etag/tag">/etag/{etag}</a></td>
    <td>validators</td></tr>
<tr><td><a href="/response-headers?X-Name=value">/response-headers?name=value</a></td>
    <td>fields of your choice</td></tr>
<tr><td><a href="/base64/SGVsbG8">/base64/{value}</a> <a href="/uuid">/uuid</a></td>
    <td></td></tr>
<tr><td><a href="/html">/html</a> <a href="/json">/json</a> <a href="/xml">/xml</a> <a href="/robots.txt">/robots.txt</a> <a href="/deny">/deny</a></td>
    <td>fixed pages</td></tr>
<tr><td><a href="/image/png">/image/png</a> <a href="/image/svg">/image/svg</a></td>
    <td>fixed images</td></tr>
<tr><td>/static/...</td>
    <td>files, with --static DIR</td></tr>
</table>
</body>
</html>
)";

}  // namespace

void index(ResponseWriter& writer, Request&) {
  writer.set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
  writer.set("X-Content-Type-Options", "nosniff");
  send(writer, "text/html; charset=utf-8", index_page);
}
void html(ResponseWriter& writer, Request&) {
  send(writer, "text/html; charset=utf-8", html_page);
}
void json(ResponseWriter& writer, Request&) {
  send(writer, "application/json", json_page);
}
void xml(ResponseWriter& writer, Request&) {
  send(writer, "application/xml", xml_page);
}
void robots(ResponseWriter& writer, Request&) {
  send(writer, "text/plain", "User-agent: *\nDisallow: /deny\n");
}
void deny(ResponseWriter& writer, Request&) {
  send(writer, "text/plain", deny_page);
}
void image_png(ResponseWriter& writer, Request&) {
  send(writer, "image/png", png_image);
}
void image_svg(ResponseWriter& writer, Request&) {
  send(writer, "image/svg+xml", svg_image);
}

}  // namespace pollux::httpbin
