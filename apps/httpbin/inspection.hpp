// Inspection: a request taken apart the way httpbin shows it - args, data, files, form, headers, json, origin, url.
//
// The tables are static and used during one call of a handler only: there is one thread, and a handler that is called
// again takes the request apart again. So at most one Inspection exists at a time.
#pragma once

#include <string_view>

#include "apps/httpbin/pairs.hpp"
#include "apps/support/json.hpp"
#include "stack/http/request.hpp"
#include "stack/http/response_writer.hpp"

namespace pollux::httpbin {

class Inspection {
 public:
  // Reads the query; with_body also the body of a collected request, by its Content-Type:
  //   application/x-www-form-urlencoded   form
  //   multipart/form-data                 form and files
  //   anything else                       data, and json if it is that
  enum class Body { ignored, read };
  explicit Inspection(http::Request& request, Body body = Body::ignored) noexcept;
  Inspection(const Inspection&) = delete;
  Inspection& operator=(const Inspection&) = delete;

  // More parameters or fields of a form than the tables hold: the answer is a 400.
  [[nodiscard]] bool overflowed() const noexcept;

  [[nodiscard]] const Pairs& args() const noexcept;

  // Each writes one member. Names are sorted if these are called in alphabetical order, as httpbin does it.
  void write_args(apps::JsonWriter& json) const noexcept;
  void write_data(apps::JsonWriter& json) const noexcept;
  void write_files(apps::JsonWriter& json) const noexcept;
  void write_form(apps::JsonWriter& json) const noexcept;
  void write_headers(apps::JsonWriter& json) const noexcept;
  void write_json(apps::JsonWriter& json) const noexcept;
  void write_method(apps::JsonWriter& json) const noexcept;
  void write_origin(apps::JsonWriter& json) const noexcept;
  void write_url(apps::JsonWriter& json) const noexcept;

 private:
  void read_body() noexcept;

  const http::Request& request_;
  std::string_view data_{};  // of a body that is no form
};

// "http://HOST", "https://HOST" over TLS, as the client named this server, else its address.
void write_base_url(const http::Request& request, apps::JsonSink sink) noexcept;

// Answers 400 for an Inspection that overflowed.
void refuse_overflow(http::ResponseWriter& writer) noexcept;

}  // namespace pollux::httpbin
