// /status/{codes}: any status on request.
#pragma once

#include "stack/http/request.hpp"
#include "stack/http/response_writer.hpp"

namespace pollux::httpbin {

// {codes} is one code, or several with weights - "200,404" or "200:0.9,503:0.1" - of which one is drawn by chance.
// 200..599; a 1xx but 101 is sent as an interim answer before a 200.
void status(http::ResponseWriter& writer, http::Request& request);

}  // namespace pollux::httpbin
