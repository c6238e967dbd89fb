// /basic-auth /hidden-basic-auth /bearer
#pragma once

#include "stack/http/request.hpp"
#include "stack/http/response_writer.hpp"

namespace pollux::httpbin {

// 200 if the client sent the user and the password of the path, else 401 with a challenge.
void basic_auth(http::ResponseWriter& writer, http::Request& request);
// The same, but 404 without a challenge.
void hidden_basic_auth(http::ResponseWriter& writer, http::Request& request);
// 200 for any bearer token (RFC 6750), else 401 with a challenge.
[[nodiscard]] http::Next bearer(http::ResponseWriter& writer, http::Request& request);

}  // namespace pollux::httpbin
