// The pages that are always the same.
#pragma once

#include "stack/http/request.hpp"
#include "stack/http/response_writer.hpp"

namespace pollux::httpbin {

void index(http::ResponseWriter& writer, http::Request& request);  // what there is, at /
void html(http::ResponseWriter& writer, http::Request& request);
void json(http::ResponseWriter& writer, http::Request& request);
void xml(http::ResponseWriter& writer, http::Request& request);
void robots(http::ResponseWriter& writer, http::Request& request);
void deny(http::ResponseWriter& writer, http::Request& request);
void image_png(http::ResponseWriter& writer, http::Request& request);
void image_svg(http::ResponseWriter& writer, http::Request& request);

}  // namespace pollux::httpbin
