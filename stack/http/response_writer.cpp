#include "stack/http/response_writer.hpp"

#include <array>

#include "stack/base/text.hpp"
#include "stack/http/location.hpp"
#include "stack/http/server.hpp"
#include "stack/wire/quoted.hpp"
#include "stack/wire/status.hpp"

namespace pollux::http {

HeadChange ResponseWriter::status(int code) noexcept {
  return conn_.set_status(code);
}
int ResponseWriter::status() const noexcept {
  return conn_.exchange().progress.status;
}

HeadChange ResponseWriter::add(std::string_view name, std::string_view value) noexcept {
  return conn_.set_field(name, value, false);
}
HeadChange ResponseWriter::set(std::string_view name, std::string_view value) noexcept {
  return conn_.set_field(name, value, true);
}

HeadChange ResponseWriter::remove(std::string_view name) noexcept {
  Exchange& exchange = conn_.exchange();
  const wire::FieldId id = wire::field_id_from(name);
  if (id == wire::FieldId::content_length) {
    exchange.progress.declared_size = -1;
  } else if (id == wire::FieldId::content_type) {
    exchange.progress.type_set = false;
  } else if (id == wire::FieldId::content_encoding) {
    exchange.progress.type_off = false;
  }
  if (exchange.writer.state() == wire::MessageWriter::State::idle) {
    return HeadChange::ok;
  }
  if (!exchange.writer.is_head_open()) {
    return HeadChange::too_late;
  }
  exchange.writer.remove(exchange.out, name);
  return HeadChange::ok;
}

bool ResponseWriter::has(std::string_view name) const noexcept {
  const Exchange& exchange = conn_.exchange();
  if (wire::field_id_from(name) == wire::FieldId::content_length) {
    return exchange.progress.declared_size >= 0;
  }
  return exchange.writer.is_head_open() && exchange.writer.find(name).data() != nullptr;
}

HeadChange ResponseWriter::set_content_length(std::uint64_t size) noexcept {
  return set("Content-Length", base::Decimal{size}.view());
}

void ResponseWriter::suppress(wire::FieldId id) noexcept {
  Progress& progress = conn_.exchange().progress;
  if (id == wire::FieldId::content_type) {
    progress.type_off = true;
  } else if (id == wire::FieldId::date && !progress.date_off) {
    progress.date_off = true;
    conn_.restart_head();
  }
}

HeadChange ResponseWriter::declare_trailer(std::string_view name) noexcept {
  const wire::FieldId id = wire::field_id_from(name);
  if (!wire::is_token(name) || id == wire::FieldId::content_length || id == wire::FieldId::transfer_encoding ||
      id == wire::FieldId::trailer || id == wire::FieldId::host) {
    return HeadChange::invalid;
  }
  const HeadChange change = conn_.set_field("Trailer", name, false);
  if (change == HeadChange::ok) {
    conn_.exchange().progress.trailers_declared = true;
  }
  return change;
}

std::size_t ResponseWriter::write(std::string_view text) noexcept {
  return conn_.write(text);
}

std::size_t ResponseWriter::room() const noexcept {
  const Exchange& exchange = conn_.exchange();
  if (exchange.tail.kind != Tail::Kind::none) {
    return 0;
  }
  if (exchange.writer.state() == wire::MessageWriter::State::idle) {
    return exchange.out.room().size() > 512 ? exchange.out.room().size() - 512 : 0;
  }
  return exchange.writer.body_room(exchange.out);
}

void ResponseWriter::text(int code, std::string_view body) noexcept {
  conn_.answer(code, "text/plain; charset=utf-8", body);
}

void ResponseWriter::json(int code, std::string_view body) noexcept {
  conn_.answer(code, "application/json", body);
}

void ResponseWriter::send_static(std::string_view body) noexcept {
  conn_.set_tail(Tail{.kind = Tail::Kind::bytes, .bytes = body}, body.size());
}

void ResponseWriter::send_file(port::File file, std::uint64_t offset, std::uint64_t size) noexcept {
  conn_.set_tail(Tail{.kind = Tail::Kind::file, .file = file, .at = offset, .left = size}, size);
}

void ResponseWriter::send_source(const BodySource& source, std::optional<std::uint64_t> size) noexcept {
  conn_.set_tail(Tail{.kind = Tail::Kind::source, .source = source}, size);
}

void ResponseWriter::flush() noexcept {
  conn_.flush();
}

HeadChange ResponseWriter::trailer(std::string_view name, std::string_view value) noexcept {
  Exchange& exchange = conn_.exchange();
  if (!wire::is_token(name) || value.find_first_of("\r\n") != std::string_view::npos) {
    return HeadChange::invalid;
  }
  if (exchange.lost) {
    return HeadChange::too_late;
  }
  if (!exchange.writer.is_framed()) {
    conn_.flush();
  }
  return exchange.writer.add_trailer(exchange.out, name, value) ? HeadChange::ok : HeadChange::no_room;
}

void ResponseWriter::close_after() noexcept {
  conn_.exchange().progress.close_after = true;
}
std::optional<Hijacked> ResponseWriter::hijack() noexcept {
  return conn_.hijack();
}
bool ResponseWriter::is_head_written() const noexcept {
  return conn_.exchange().writer.is_framed();
}
std::uint64_t ResponseWriter::body_written() const noexcept {
  return conn_.exchange().writer.body_written();
}

// ---- answers in one line

void error(ResponseWriter& writer, int code, std::string_view message) noexcept {
  for (const std::string_view name : {"Content-Length", "Content-Encoding", "ETag", "Cache-Control", "Last-Modified"}) {
    writer.remove(name);
  }
  writer.status(code);
  writer.set("Content-Type", "text/plain; charset=utf-8");
  writer.set("X-Content-Type-Options", "nosniff");
  writer.write(message);
  writer.write("\n");
}

void not_found(ResponseWriter& writer) noexcept {
  error(writer, 404, "404 page not found");
}

void redirect(ResponseWriter& writer, const Request& request, std::string_view target, int code) noexcept {
  std::array<char, 2048> memory;
  const auto location = redirect_location(request.raw_path(), target, memory);
  if (!location) {
    error(writer, 500, "500 the redirect's target is too long");
    return;
  }
  const bool has_type = writer.has("Content-Type");
  writer.status(code);
  writer.set("Location", *location);
  const bool is_get = request.method_id() == wire::Method::get;
  if (has_type || (!is_get && request.method_id() != wire::Method::head)) {
    return;
  }
  writer.set("Content-Type", "text/html; charset=utf-8");
  if (!is_get) {
    return;
  }
  writer.write("<a href=\"");
  for (const char c : *location) {
    switch (c) {
      case '&':
        writer.write("&amp;");
        break;
      case '<':
        writer.write("&lt;");
        break;
      case '>':
        writer.write("&gt;");
        break;
      case '"':
        writer.write("&#34;");
        break;
      case '\'':
        writer.write("&#39;");
        break;
      default:
        writer.write({&c, 1});
    }
  }
  writer.write("\">");
  writer.write(wire::reason_phrase(code));
  writer.write("</a>.\n");
}

}  // namespace pollux::http
