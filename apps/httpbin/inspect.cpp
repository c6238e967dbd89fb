#include "apps/httpbin/inspect.hpp"

namespace pollux::httpbin {

using http::Next;
using http::Request;
using http::ResponseWriter;
using Body = Inspection::Body;

void begin_json(ResponseWriter& writer, const Request& request) noexcept {
  if (request.event() == http::Event::writable) {
    return;
  }
  writer.status(200);
  writer.set("Content-Type", "application/json");
}

void write_get(apps::JsonWriter& json, const Inspection& inspection) noexcept {
  inspection.write_args(json);
  inspection.write_headers(json);
  inspection.write_origin(json);
  inspection.write_url(json);
}

void write_delay(apps::JsonWriter& json, const Inspection& inspection) noexcept {
  inspection.write_args(json);
  inspection.write_data(json);
  inspection.write_files(json);
  inspection.write_form(json);
  inspection.write_headers(json);
  inspection.write_origin(json);
  inspection.write_url(json);
}

Next get(ResponseWriter& writer, Request& request) {
  return send_object(writer, request, request.state<DocumentState>(), Body::ignored, write_get);
}

Next post(ResponseWriter& writer, Request& request) {
  return send_object(writer, request, request.state<DocumentState>(), Body::read,
                     [](apps::JsonWriter& json, const Inspection& inspection) {
                       inspection.write_args(json);
                       inspection.write_data(json);
                       inspection.write_files(json);
                       inspection.write_form(json);
                       inspection.write_headers(json);
                       inspection.write_json(json);
                       inspection.write_origin(json);
                       inspection.write_url(json);
                     });
}

Next anything(ResponseWriter& writer, Request& request) {
  return send_object(writer, request, request.state<DocumentState>(), Body::read,
                     [](apps::JsonWriter& json, const Inspection& inspection) {
                       inspection.write_args(json);
                       inspection.write_data(json);
                       inspection.write_files(json);
                       inspection.write_form(json);
                       inspection.write_headers(json);
                       inspection.write_json(json);
                       inspection.write_method(json);
                       inspection.write_origin(json);
                       inspection.write_url(json);
                     });
}

Next headers(ResponseWriter& writer, Request& request) {
  return send_object(writer, request, request.state<DocumentState>(), Body::ignored,
                     [](apps::JsonWriter& json, const Inspection& inspection) { inspection.write_headers(json); });
}

Next ip(ResponseWriter& writer, Request& request) {
  return send_object(writer, request, request.state<DocumentState>(), Body::ignored,
                     [](apps::JsonWriter& json, const Inspection& inspection) { inspection.write_origin(json); });
}

Next user_agent(ResponseWriter& writer, Request& request) {
  return send_object(writer, request, request.state<DocumentState>(), Body::ignored,
                     [&request](apps::JsonWriter& json, const Inspection&) {
                       json.key("user-agent");
                       const auto agent = request.field(wire::FieldId::user_agent);
                       agent ? json.text(*agent) : json.null();
                     });
}

}  // namespace pollux::httpbin
