#include "stack/wire/query.hpp"

#include "stack/wire/percent.hpp"
#include "stack/wire/slice.hpp"

namespace pollux::wire {

std::optional<QueryPair> QueryPairs::next() noexcept {
  while (!rest_.empty()) {
    const Cut piece = cut(rest_, '&');
    rest_ = piece.after;
    if (piece.before.empty()) {
      continue;
    }
    if (piece.before.find(';') != std::string_view::npos) {
      ++refused_;
      continue;
    }
    const Cut pair = cut(piece.before, '=');
    return QueryPair{.name = pair.before, .value = pair.after, .has_value = pair.is_found};
  }
  return std::nullopt;
}

port::Result<std::string_view, QueryError> query_value(std::string_view query, std::string_view name,
                                                       std::span<char> scratch) noexcept {
  QueryError error = QueryError::not_found;
  QueryPairs pairs{query};
  while (const auto pair = pairs.next()) {
    if (!percent_decoded_equals(pair->name, name, Plus::space)) {
      continue;
    }
    if (!has_valid_escapes(pair->value)) {
      error = QueryError::bad_escape;
      continue;
    }
    const auto value = percent_decode(pair->value, scratch, Plus::space);
    if (!value) {
      return port::Failure{QueryError::out_too_small};
    }
    return *value;
  }
  return port::Failure{error};
}

}  // namespace pollux::wire
