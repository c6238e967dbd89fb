// /redirect /relative-redirect /absolute-redirect /redirect-to
#pragma once

#include "stack/http/request.hpp"
#include "stack/http/response_writer.hpp"

namespace pollux::httpbin {

// {n} 302s in a row, then /get. ?absolute=true names the host in each Location.
void redirect(http::ResponseWriter& writer, http::Request& request);
void relative_redirect(http::ResponseWriter& writer, http::Request& request);
void absolute_redirect(http::ResponseWriter& writer, http::Request& request);
// ?url= where to, ?status_code= 300..399, else 302. The target is not touched.
void redirect_to(http::ResponseWriter& writer, http::Request& request);

}  // namespace pollux::httpbin
