// -w: prints what a format asks for about a transfer that is over. curl 7.88's variables; those of TLS and FTP are there and say nothing.
#pragma once

#include <string_view>

#include "apps/fetch/report.hpp"

namespace pollux::fetch {

// Where the text goes: `to_error` after %{stderr}.
struct WriteOutSink {
  void (*put)(void* object, bool to_error, std::string_view text) = nullptr;
  void* object = nullptr;
};

void write_out(std::string_view format, const Report& report, const WriteOutSink& sink);

}  // namespace pollux::fetch
