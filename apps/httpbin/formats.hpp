// The endpoints about formats and metadata: compressed, cached, tagged, encoded answers.
#pragma once

#include "stack/http/request.hpp"
#include "stack/http/response_writer.hpp"

namespace pollux::httpbin {

[[nodiscard]] http::Next gzip(http::ResponseWriter& writer, http::Request& request);
[[nodiscard]] http::Next deflate(http::ResponseWriter& writer, http::Request& request);

// 304 if the request has If-Modified-Since or If-None-Match, else what /get answers, with validators.
[[nodiscard]] http::Next cache(http::ResponseWriter& writer, http::Request& request);
// What /get answers, with a Cache-Control of {seconds}.
[[nodiscard]] http::Next cache_for(http::ResponseWriter& writer, http::Request& request);
// What /get answers as a resource with this entity tag: 304 and 412 as If-None-Match and If-Match say.
[[nodiscard]] http::Next etag(http::ResponseWriter& writer, http::Request& request);
// The query's parameters as fields of the answer, and the answer's fields as its body.
[[nodiscard]] http::Next response_headers(http::ResponseWriter& writer, http::Request& request);

// What {value} stands for, in either alphabet, as text/plain.
void base64(http::ResponseWriter& writer, http::Request& request);
void uuid(http::ResponseWriter& writer, http::Request& request);

}  // namespace pollux::httpbin
