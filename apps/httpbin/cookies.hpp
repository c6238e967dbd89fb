// /cookies /cookies/set /cookies/delete
#pragma once

#include "stack/http/request.hpp"
#include "stack/http/response_writer.hpp"

namespace pollux::httpbin {

[[nodiscard]] http::Next cookies(http::ResponseWriter& writer, http::Request& request);
// Both set cookies for all paths and redirect to /cookies: one named in the path, or each parameter of the query.
void set_cookie(http::ResponseWriter& writer, http::Request& request);
void set_cookies(http::ResponseWriter& writer, http::Request& request);
// Deletes the cookies named by the query's parameters and redirects to /cookies.
void delete_cookies(http::ResponseWriter& writer, http::Request& request);

}  // namespace pollux::httpbin
