// The status page: upstreams, counters and pools as JSON.
#pragma once

#include "stack/http/request.hpp"
#include "stack/http/response_writer.hpp"

namespace pollux::gateway {

class Gateway;

// GET and HEAD; anything else is answered 405.
void show_status(const Gateway& gateway, http::ResponseWriter& writer, const http::Request& request) noexcept;

}  // namespace pollux::gateway
