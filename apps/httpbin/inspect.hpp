// The endpoints that show a request: /get /post /put /patch /delete /anything /headers /ip /user-agent.
#pragma once

#include "apps/httpbin/document.hpp"
#include "apps/httpbin/inspection.hpp"
#include "stack/http/request.hpp"
#include "stack/http/response_writer.hpp"

namespace pollux::httpbin {

// Sets status 200 and the type on the first call.
void begin_json(http::ResponseWriter& writer, const http::Request& request) noexcept;

// Answers with a JSON object whose members `write(json, inspection)` writes. For handlers whose state begins with a
// DocumentState.
template <typename Write>
[[nodiscard]] http::Next send_object(http::ResponseWriter& writer, http::Request& request, DocumentState& state,
                                     Inspection::Body body, Write&& write) {
  const Inspection inspection{request, body};
  if (request.event() == http::Event::gone) {
    return http::Next::done;
  }
  if (inspection.overflowed()) {
    refuse_overflow(writer);
    return http::Next::done;
  }
  begin_json(writer, request);
  return send_document(writer, state, [&](Document& document) {
    apps::JsonWriter json{document.sink(), apps::JsonStyle::indented};
    json.begin_object();
    write(json, inspection);
    json.end_object();
    document.put("\n");
  });
}

// args, headers, origin, url: what httpbin shows of a request without a body.
void write_get(apps::JsonWriter& json, const Inspection& inspection) noexcept;
// args, data, files, form, headers, origin, url: what /delay shows.
void write_delay(apps::JsonWriter& json, const Inspection& inspection) noexcept;

[[nodiscard]] http::Next get(http::ResponseWriter& writer, http::Request& request);
[[nodiscard]] http::Next post(http::ResponseWriter& writer, http::Request& request);  // also put, patch, delete
[[nodiscard]] http::Next anything(http::ResponseWriter& writer, http::Request& request);
[[nodiscard]] http::Next headers(http::ResponseWriter& writer, http::Request& request);
[[nodiscard]] http::Next ip(http::ResponseWriter& writer, http::Request& request);
[[nodiscard]] http::Next user_agent(http::ResponseWriter& writer, http::Request& request);

}  // namespace pollux::httpbin
