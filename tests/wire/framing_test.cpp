#include "stack/wire/framing.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/wire/reader_support.hpp"

namespace pollux::wire {
namespace {

using test::name_of;
using test::to_text;

struct FramingCase {
  std::string start_line;
  std::string fields;  // lines
  std::string expected;
  Method request_method = Method::get;
};

std::string frame_request(const FramingCase& c) {
  std::array<Field, 8> table;
  RequestHead head;
  const std::string whole = c.start_line + "\r\n" + c.fields + "\r\n";
  EXPECT_EQ(parse_request_head(whole, table, head), HeadError::none) << whole;
  const auto framing = request_framing(head);
  return framing ? to_text(*framing) : std::string{name_of(framing.error())};
}

std::string frame_response(const FramingCase& c) {
  std::array<Field, 8> table;
  ResponseHead head;
  const std::string whole = c.start_line + "\r\n" + c.fields + "\r\n";
  EXPECT_EQ(parse_response_head(whole, table, head), HeadError::none) << whole;
  const auto framing = response_framing(c.request_method, head);
  return framing ? to_text(*framing) : std::string{name_of(framing.error())};
}

TEST(RequestFraming, EachCase) {
  const std::string get = "GET / HTTP/1.1";
  const std::string post = "POST / HTTP/1.1";
  const std::string post_1_0 = "POST / HTTP/1.0";
  const FramingCase cases[] = {
      {get, "", "none keep"},
      {post, "", "none keep"},
      {get, "Content-Length: 3\r\n", "sized 3 keep"},
      {post, "Content-Length: 0\r\n", "sized 0 keep"},
      {post, "Content-Length: 0003\r\n", "sized 3 keep"},
      {post, "Content-Length: 3\r\nContent-Length: 3\r\n", "sized 3 keep"},
      {post, "Content-Length: 9223372036854775807\r\n", "sized 9223372036854775807 keep"},
      {post, "Content-Length: 9223372036854775808\r\n", "content_length"},
      {post, "Content-Length: 18446744073709551619\r\n", "content_length"},
      {post, "Content-Length: 3\r\nContent-Length: 4\r\n", "content_length"},
      {post, "Content-Length: 3\r\nContent-Length: 03\r\n", "content_length"},
      {post, "Content-Length: 3, 3\r\n", "content_length"},
      {post, "Content-Length: -3\r\n", "content_length"},
      {post, "Content-Length: +3\r\n", "content_length"},
      {post, "Content-Length: 0x3\r\n", "content_length"},
      {post, "Content-Length: 3 \t3\r\n", "content_length"},
      {post, "Content-Length: 3;\r\n", "content_length"},
      {post, "Content-Length:\r\n", "content_length"},
      {post, "Content-Length:\r\nContent-Length: 3\r\n", "content_length"},
      {post, "Transfer-Encoding: chunked\r\n", "chunked keep"},
      {post, "transfer-encoding: CHUNKED\r\n", "chunked keep"},
      {post, "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "chunked keep must_close"},
      {post, "Transfer-Encoding: chunked\r\nContent-Length: x\r\n", "content_length"},
      {post, "Transfer-Encoding: gzip, chunked\r\n", "transfer_encoding"},
      {post, "Transfer-Encoding: chunked, chunked\r\n", "transfer_encoding"},
      {post, "Transfer-Encoding: chunked,\r\n", "transfer_encoding"},
      {post, "Transfer-Encoding: fugazi\r\n", "transfer_encoding"},
      {post, "Transfer-Encoding: identity\r\nContent-Length: 3\r\n", "transfer_encoding"},
      {post, "Transfer-Encoding: \"chunked\"\r\n", "transfer_encoding"},
      {post, "Transfer-Encoding: chunked;q=1\r\n", "transfer_encoding"},
      {post, "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "transfer_encoding"},
      {post, "Transfer-Encoding:\r\n", "transfer_encoding"},
      {post_1_0, "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "sized 3 close must_close"},
      {post_1_0, "Transfer-Encoding: fugazi\r\n", "none close must_close"},
      {post, "Transfer-Encoding: chunked\r\nTrailer: X-T\r\n", "chunked keep"},
      {post, "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n", "trailer"},
      {post, "Transfer-Encoding: chunked\r\nTrailer: X, transfer-encoding\r\n", "trailer"},
      {post, "Transfer-Encoding: chunked\r\nTrailer: X\r\nTrailer: TRAILER\r\n", "trailer"},
      {post, "Trailer: Content-Length\r\n", "none keep"},
      // Persistence.
      {get, "Connection: foo, Close\r\n", "none close"},
      {get, "Connection: keep-alive\r\n", "none keep"},
      {get, "Connection: closed\r\n", "none keep"},
      {get, "Connection: keep-alive\r\nConnection: close\r\n", "none close"},
      {"GET / HTTP/1.2", "", "none keep"},
      {"GET / HTTP/1.0", "", "none close"},
      {"GET / HTTP/1.0", "Connection: Keep-Alive\r\n", "none keep"},
      {"GET / HTTP/1.0", "Connection: keep-alive, close\r\n", "none close"},
      {post_1_0, "Content-Length: 3\r\n", "sized 3 close"},
  };
  for (const FramingCase& c : cases) {
    EXPECT_EQ(frame_request(c), c.expected) << c.start_line << "\n" << c.fields;
  }
}

TEST(ResponseFraming, EachCase) {
  const std::string ok = "HTTP/1.1 200 OK";
  const std::string ok_1_0 = "HTTP/1.0 200 OK";
  const FramingCase cases[] = {
      {ok, "Content-Length: 3\r\n", "sized 3 keep"},
      {ok, "", "until_close close"},
      {ok, "Connection: keep-alive\r\n", "until_close close"},
      {ok, "Connection: close\r\nContent-Length: 3\r\n", "sized 3 close"},
      {ok, "Content-Length: 3\r\nContent-Length: 3\r\n", "sized 3 keep"},
      {ok, "Content-Length: +3\r\n", "content_length"},
      {ok, "Content-Length:\r\n", "content_length"},
      {ok, "Content-Length: 1\r\nContent-Length: 2\r\n", "content_length"},
      {ok_1_0, "Content-Length: 3\r\n", "sized 3 close"},
      {ok_1_0, "Content-Length: 3\r\nConnection: keep-alive\r\n", "sized 3 keep"},
      {ok_1_0, "Connection: close\r\n", "until_close close"},
      {ok_1_0, "Transfer-Encoding: chunked\r\n", "until_close close must_close"},
      {ok, "Transfer-Encoding: chunked\r\n", "chunked keep"},
      {ok, "Transfer-Encoding: chunked\r\nContent-Length: 7\r\n", "chunked keep must_close"},
      {ok, "Transfer-Encoding: identity\r\nContent-Length: 3\r\n", "transfer_encoding"},
      {ok, "Transfer-Encoding: gzip, chunked\r\n", "transfer_encoding"},
      {ok, "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n", "trailer"},
      // No body, whatever the fields say.
      {ok, "Content-Length: 256\r\n", "none(256) keep", Method::head},
      {ok, "", "none keep", Method::head},
      {ok_1_0, "", "none close", Method::head},
      {ok, "Transfer-Encoding: chunked\r\n", "none keep", Method::head},
      {"HTTP/1.1 204 No Content", "", "none keep"},
      {"HTTP/1.1 204 No Content", "Content-Length: 0\r\n", "none(0) keep"},
      {"HTTP/1.1 304 Not Modified", "Transfer-Encoding: chunked\r\n", "none keep"},
      {"HTTP/1.1 304 Not Modified", "Content-Length: 10\r\n", "none(10) keep"},
      {"HTTP/1.1 100 Continue", "", "none keep"},
      {"HTTP/1.1 199 x", "Content-Length: 3\r\n", "none(3) keep"},
      {"HTTP/1.1 205 Reset", "", "until_close close"},
      // Tunnels.
      {ok, "", "until_close close", Method::connect},
      {ok, "Content-Length: 3\r\n", "until_close close", Method::connect},
      {"HTTP/1.1 299 x", "Transfer-Encoding: x\r\n", "until_close close", Method::connect},
      {"HTTP/1.1 300 x", "Content-Length: 3\r\n", "sized 3 keep", Method::connect},
      {"HTTP/1.1 407 Proxy", "Content-Length: 3\r\n", "sized 3 keep", Method::connect},
  };
  for (const FramingCase& c : cases) {
    EXPECT_EQ(frame_response(c), c.expected) << c.start_line << "\n" << c.fields;
  }
}

}  // namespace
}  // namespace pollux::wire
