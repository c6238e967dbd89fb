// Runs bytes through a MessageReader and writes down what it said, in a form that is the same however the bytes were
// cut:
//
//   "GET / HTTP/1.1 {Host=h}; sized 3 keep; abc; complete\nGET /b ...; failed head field_name"
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "stack/base/text.hpp"
#include "stack/wire/message_reader.hpp"

namespace pollux::wire::test {

inline std::string_view name_of(HeadError error) {
  switch (error) {
    case HeadError::none:
      return "none";
    case HeadError::start_line:
      return "start_line";
    case HeadError::version_syntax:
      return "version_syntax";
    case HeadError::version:
      return "version";
    case HeadError::field_syntax:
      return "field_syntax";
    case HeadError::field_name:
      return "field_name";
    case HeadError::field_value:
      return "field_value";
    case HeadError::too_many_fields:
      return "too_many_fields";
    case HeadError::too_large:
      return "too_large";
    case HeadError::host_missing:
      return "host_missing";
    case HeadError::host_repeated:
      return "host_repeated";
    case HeadError::host_malformed:
      return "host_malformed";
    case HeadError::status_code:
      return "status_code";
  }
  return "?";
}

inline std::string_view name_of(FramingError error) {
  switch (error) {
    case FramingError::content_length:
      return "content_length";
    case FramingError::transfer_encoding:
      return "transfer_encoding";
    case FramingError::trailer:
      return "trailer";
  }
  return "?";
}

inline std::string to_text(const Fields& fields) {
  std::string text = "{";
  for (std::size_t i = 0; i < fields.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::string{fields[i].name} + "=" + std::string{fields[i].value};
  }
  return text + "}";
}

// "sized 3 keep", "none close", "chunked keep must_close", "none(256) keep"
inline std::string to_text(const Framing& framing) {
  std::string text;
  switch (framing.kind) {
    case BodyKind::none:
      text = framing.has_size ? "none(" + std::to_string(framing.size) + ")" : "none";
      break;
    case BodyKind::sized:
      text = "sized " + std::to_string(framing.size);
      break;
    case BodyKind::chunked:
      text = "chunked";
      break;
    case BodyKind::until_close:
      text = "until_close";
      break;
  }
  return text + (framing.keep_alive ? " keep" : " close") + (framing.must_close ? " must_close" : "");
}

inline std::string to_text(const Version& version) {
  return "HTTP/" + std::to_string(version.major) + "." + std::to_string(version.minor);
}

struct ReadOptions {
  MessageReader::Kind kind = MessageReader::Kind::request;
  Method request_method = Method::get;
  std::size_t buffer_size = 4096;
  std::size_t table_size = 16;
  std::size_t head_size_max = 1024;
  bool is_streaming = false;     // take body bytes as they come and make room, instead of collecting them
  bool input_ends = false;       // the peer finishes behind the last byte
  std::size_t reserve_size = 0;  // bytes to reserve behind each head
};

// One conversation: feed() what comes, then finish(); log() tells what was read.
class Reading {
 public:
  explicit Reading(const ReadOptions& options)
      : options_{options}, memory_(options.buffer_size), table_(options.table_size), in_{memory_} {
    reader_ = MessageReader{options.kind, table_, options.head_size_max};
    reader_.start(options.request_method);
  }

  void feed(std::string_view bytes) {
    while (!bytes.empty() && !is_over_) {
      if (in_.room().empty()) {
        reader_.make_room(in_);
        if (in_.room().empty() && reader_.state() == MessageReader::State::complete) {
          break;
        }
      }
      if (in_.room().empty()) {
        log_ += "; no room";
        is_over_ = true;
        return;
      }
      bytes.remove_prefix(in_.append(bytes));
      advance();
    }
  }
  void finish() {
    while (options_.input_ends && !is_over_) {
      const ReadEvent event = reader_.input_ended(in_);
      if (event == ReadEvent::need_more) {
        log_ += "(end)";
        return;
      }
      if (!take(event)) {
        return;
      }
      advance();
    }
  }

  [[nodiscard]] const std::string& log() const { return log_; }
  [[nodiscard]] MessageReader& reader() { return reader_; }
  [[nodiscard]] base::Buffer& in() { return in_; }

 private:
  void advance() {
    while (!is_over_ && take(reader_.advance(in_))) {
    }
  }
  // Writes one event down; false if nothing more can be done for now.
  bool take(ReadEvent event) {
    switch (event) {
      case ReadEvent::need_more:
        return false;
      case ReadEvent::head:
        write_head();
        if (options_.reserve_size != 0) {
          const std::span<char> memory = reader_.reserve(in_, options_.reserve_size);
          std::fill(memory.begin(), memory.end(), '#');
          log_ += memory.size() == options_.reserve_size ? "" : "; no reserve";
        }
        return true;
      case ReadEvent::body:
        if (options_.is_streaming) {
          take_body();
          reader_.make_room(in_);
        }
        return true;
      case ReadEvent::complete:
        take_body();
        log_ += "; " + body_ + (reader_.trailers().size() != 0 ? "; trailer " + to_text(reader_.trailers()) : "") +
                "; complete\n";
        body_.clear();
        reader_.release(in_);
        reader_.start(options_.request_method);
        return true;
      case ReadEvent::failed:
        write_failure();
        is_over_ = true;
        return false;
    }
    return false;
  }
  void take_body() {
    body_ += reader_.body(in_);
    reader_.consume_body(reader_.body(in_).size());
  }
  void write_head() {
    if (options_.kind == MessageReader::Kind::request) {
      const RequestHead& head = reader_.request();
      log_ += std::string{head.method} + " " + std::string{head.target} + " " + to_text(head.version) + " " +
              to_text(head.fields);
    } else {
      const ResponseHead& head = reader_.response();
      log_ += to_text(head.version) + " " + std::to_string(head.status) + " " + std::string{head.reason} + " " +
              to_text(head.fields);
    }
    log_ += "; " + to_text(reader_.framing());
  }
  void write_failure() {
    log_ += log_.empty() || log_.back() == '\n' ? "failed " : "; failed ";
    switch (reader_.error()) {
      case ReadError::none:
        log_ += "none";
        break;
      case ReadError::head:
        log_ += "head " + std::string{name_of(reader_.head_error())};
        break;
      case ReadError::framing:
        log_ += "framing " + std::string{name_of(reader_.framing_error())};
        break;
      case ReadError::chunk:
        log_ += "chunk after " + std::to_string(reader_.body_received());
        break;
      case ReadError::trailer:
        log_ += "trailer after " + std::to_string(reader_.body_received());
        break;
      case ReadError::ended_early:
        log_ += "ended_early after " + std::to_string(reader_.body_received());
        break;
    }
  }

  ReadOptions options_;
  std::vector<char> memory_;
  std::vector<Field> table_;
  base::Buffer in_;
  MessageReader reader_;
  std::string log_;
  std::string body_;
  bool is_over_ = false;
};

// Reads `input` cut at the given ascending positions.
inline std::string read(std::string_view input, const ReadOptions& options, const std::vector<std::size_t>& cuts = {}) {
  Reading reading{options};
  std::size_t at = 0;
  for (const std::size_t cut : cuts) {
    reading.feed(input.substr(at, cut - at));
    at = cut;
  }
  reading.feed(input.substr(at));
  reading.finish();
  return reading.log();
}

}  // namespace pollux::wire::test
