#include "apps/support/json_read.hpp"

#include <cstring>

#include "port/ensure.hpp"
#include "stack/base/text.hpp"

// What RapidJSON takes for impossible stops the program; its assert() would be gone in a release.
#define RAPIDJSON_ASSERT(condition) ENSURE(condition)
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

namespace pollux::apps {

namespace {

// The reader's stack holds one decoded text, which is not longer than its source, or one number with a few bytes of rounding, and
// two integers for each open array or object. It is made as large as it can get, once, so it never grows.
constexpr std::size_t stack_size = json_text_max + 16 * (json_depth_max + 1) + 64;

// Memory for exactly one RapidJSON stack.
class StackMemory {
 public:
  void* Malloc(std::size_t size) noexcept { return Realloc(nullptr, 0, size); }
  void* Realloc(void* before, std::size_t, std::size_t size) noexcept {
    ENSURE(before == nullptr);  // it never grows
    ENSURE(size <= sizeof bytes_);
    return bytes_;
  }
  static void Free(void*) noexcept {}

 private:
  alignas(std::max_align_t) char bytes_[stack_size];
};

using Reader = rapidjson::GenericReader<rapidjson::UTF8<>, rapidjson::UTF8<>, StackMemory>;

std::string_view describe(rapidjson::ParseErrorCode code) noexcept {
  switch (code) {
    case rapidjson::kParseErrorDocumentEmpty:
      return "there is no value";
    case rapidjson::kParseErrorDocumentRootNotSingular:
      return "something follows the value";
    case rapidjson::kParseErrorValueInvalid:
      return "a value is expected here";
    case rapidjson::kParseErrorObjectMissName:
      return "a member's name in quotes is expected here";
    case rapidjson::kParseErrorObjectMissColon:
      return "a colon is missing behind the member's name";
    case rapidjson::kParseErrorObjectMissCommaOrCurlyBracket:
      return "a comma or } is missing";
    case rapidjson::kParseErrorArrayMissCommaOrSquareBracket:
      return "a comma or ] is missing";
    case rapidjson::kParseErrorStringUnicodeEscapeInvalidHex:
      return "\\u needs four hexadecimal digits";
    case rapidjson::kParseErrorStringUnicodeSurrogateInvalid:
      return "half of a surrogate pair is missing";
    case rapidjson::kParseErrorStringEscapeInvalid:
      return "there is no such escape";
    case rapidjson::kParseErrorStringMissQuotationMark:
      return "a text does not end";
    case rapidjson::kParseErrorStringInvalidEncoding:
      return "a control byte, or bytes that are not UTF-8";
    case rapidjson::kParseErrorNumberTooBig:
      return "the number is too big";
    case rapidjson::kParseErrorNumberMissFraction:
      return "digits are missing behind the point";
    case rapidjson::kParseErrorNumberMissExponent:
      return "digits are missing in the exponent";
    case rapidjson::kParseErrorNone:
    case rapidjson::kParseErrorTermination:
    case rapidjson::kParseErrorUnspecificSyntaxError:
      break;
  }
  return "this is not JSON";
}

// The error at `offset`, its line and column counted; `pieces` make the reason.
template <typename... Pieces>
JsonError error_at(std::string_view text, std::size_t offset, const Pieces&... pieces) noexcept {
  JsonError error;
  error.offset = offset < text.size() ? offset : text.size();
  for (const char c : text.substr(0, error.offset)) {
    if (c == '\n') {
      ++error.line;
      error.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U) {
      ++error.column;
    }
  }
  base::TextWriter reason{error.memory};
  (reason.put(pieces), ...);
  error.reason_size = reason.size();
  return error;
}

// The first place from `at` that is neither white space nor one of `separators`.
std::size_t skip(std::string_view text, std::size_t at, std::string_view separators) noexcept {
  while (at < text.size() && (std::string_view{" \t\r\n"}.find(text[at]) != std::string_view::npos ||
                              separators.find(text[at]) != std::string_view::npos)) {
    ++at;
  }
  return at;
}

// RapidJSON takes an escaped low surrogate that follows no high one, and writes what is not UTF-8. Nothing else makes these bytes: the
// source is checked.
bool has_surrogate(std::string_view decoded) noexcept {
  for (std::size_t at = decoded.find('\xED'); at != std::string_view::npos; at = decoded.find('\xED', at + 1)) {
    if (at + 1 < decoded.size() && static_cast<unsigned char>(decoded[at + 1]) >= 0xA0) {
      return true;
    }
  }
  return false;
}

// Where the first such escape stands in `text`, whose escapes are known to be well-formed.
std::size_t find_lone_surrogate(std::string_view text) noexcept {
  std::size_t at = text.find('\\');
  while (at != std::string_view::npos) {
    const bool is_surrogate = text.substr(at + 1, 1) == "u" && base::to_lower(text[at + 2]) == 'd';
    const int third = is_surrogate ? base::hex_value(text[at + 3]) : 0;
    if (third >= 0xC) {
      return at;
    }
    at = text.find('\\', at + (third >= 0x8 ? 12 : 2));  // a pair is 12 bytes: \uD834\uDD1E
  }
  return 0;
}

// What the reader of any kind of document does: counts how deep it is, and remembers what it did not like. A handler that returns
// false ends the reading.
class DocumentHandler {
 public:
  explicit DocumentHandler(std::string_view text) noexcept : text_{text}, stream_{text.data(), text.size()} {}

  [[nodiscard]] rapidjson::MemoryStream& stream() noexcept { return stream_; }
  [[nodiscard]] std::optional<JsonError> take_error() noexcept { return error_; }

 protected:
  [[nodiscard]] std::size_t place() const noexcept { return stream_.Tell(); }
  [[nodiscard]] std::string_view text() const noexcept { return text_; }
  template <typename... Pieces>
  bool refuse(std::size_t offset, const Pieces&... pieces) noexcept {
    error_ = error_at(text_, offset, pieces...);
    return false;
  }
  // A text, decoded.
  bool check(const char* text_decoded, std::size_t size) noexcept {
    return !has_surrogate({text_decoded, size}) ||
           refuse(find_lone_surrogate(text_), describe(rapidjson::kParseErrorStringUnicodeSurrogateInvalid));
  }
  bool enter() noexcept {
    if (depth_ == json_depth_max) {
      return refuse(place(), "nested too deep: more than ", base::Decimal{json_depth_max}.view(), " levels");
    }
    ++depth_;
    return true;
  }
  bool leave() noexcept {
    --depth_;
    return true;
  }

 private:
  std::string_view text_;
  rapidjson::MemoryStream stream_;
  std::optional<JsonError> error_;
  std::size_t depth_ = 0;
};

// Everything goes.
class CheckHandler final : public DocumentHandler {
 public:
  using DocumentHandler::DocumentHandler;
  using Ch = char;
  bool Null() noexcept { return true; }
  bool Bool(bool) noexcept { return true; }
  bool Int(int) noexcept { return true; }
  bool Uint(unsigned) noexcept { return true; }
  bool Int64(std::int64_t) noexcept { return true; }
  bool Uint64(std::uint64_t) noexcept { return true; }
  bool Double(double) noexcept { return true; }
  bool RawNumber(const char*, rapidjson::SizeType, bool) noexcept { return true; }
  bool String(const char* value, rapidjson::SizeType size, bool) noexcept { return check(value, size); }
  bool Key(const char* name, rapidjson::SizeType size, bool) noexcept { return check(name, size); }
  bool StartObject() noexcept { return enter(); }
  bool EndObject(rapidjson::SizeType) noexcept { return leave(); }
  bool StartArray() noexcept { return enter(); }
  bool EndArray(rapidjson::SizeType) noexcept { return leave(); }
};

template <typename Handler>
std::optional<JsonError> read(std::string_view text, Handler& handler) noexcept {
  if (text.size() > json_text_max) {
    return error_at(text, json_text_max, "longer than ", base::Decimal{json_text_max}.view(), " bytes");
  }
  // To the reader a NUL byte is the end of the text, whatever follows.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return error_at(text, nul, "a NUL byte");
  }
  // Numbers stay text: they are not rounded, and their range is ours to check.
  constexpr unsigned flags =
      rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag | rapidjson::kParseNumbersAsStringsFlag;
  StackMemory memory;
  Reader reader{&memory, stack_size};
  const rapidjson::ParseResult result = reader.Parse<flags>(handler.stream(), handler);
  if (!result.IsError()) {
    return std::nullopt;
  }
  if (auto error = handler.take_error()) {
    return error;
  }
  rapidjson::ParseErrorCode code = result.Code();
  if (code == rapidjson::kParseErrorDocumentEmpty && result.Offset() < text.size()) {
    code = rapidjson::kParseErrorValueInvalid;  // there is something, but no value begins like that
  }
  if (code == rapidjson::kParseErrorStringEscapeInvalid && text[result.Offset()] != '\\') {
    code = rapidjson::kParseErrorStringInvalidEncoding;  // a control byte
  }
  return error_at(text, result.Offset(), describe(code));
}

}  // namespace

// One object: names select members, values go to their targets.
class JsonObjectReader final : public DocumentHandler {
 public:
  using Ch = char;
  JsonObjectReader(std::string_view text, std::span<JsonMember> members) noexcept
      : DocumentHandler{text}, members_{members} {
    for (JsonMember& member : members_) {
      member.is_given_ = false;
    }
  }

  bool Null() noexcept { return refuse_kind(); }
  bool Bool(bool value) noexcept {
    if (member_ == nullptr || member_->kind_ != JsonMember::Kind::boolean) {
      return refuse_kind();
    }
    *static_cast<bool*>(member_->target_) = value;
    return accept();
  }
  bool RawNumber(const char* digits, rapidjson::SizeType size, bool) noexcept {
    if (member_ == nullptr || member_->kind_ != JsonMember::Kind::integer) {
      return refuse_kind();
    }
    const auto value = base::parse_decimal({digits, size}, member_->range_.max);
    if (!value || *value < member_->range_.min) {
      return refuse_kind();
    }
    *static_cast<std::uint64_t*>(member_->target_) = *value;
    return accept();
  }
  bool String(const char* value, rapidjson::SizeType size, bool) noexcept {
    if (member_ == nullptr || member_->kind_ != JsonMember::Kind::text) {
      return refuse_kind();
    }
    if (!check(value, size)) {
      return false;
    }
    if (size > member_->memory_.size()) {
      return refuse(value_place(), member_->name_, " is longer than ", base::Decimal{member_->memory_.size()}.view(),
                    " bytes");
    }
    std::memcpy(member_->memory_.data(), value, size);
    *static_cast<std::string_view*>(member_->target_) = {member_->memory_.data(), size};
    return accept();
  }
  bool Key(const char* name, rapidjson::SizeType size, bool) noexcept {
    const std::size_t place_of_name = skip(text(), behind_last_, "{,");
    for (JsonMember& member : members_) {
      if (member.name_ == std::string_view{name, size}) {
        if (member.is_given_) {
          return refuse(place_of_name, member.name_, " is given twice");
        }
        member.is_given_ = true;
        member_ = &member;
        behind_name_ = place();
        return true;
      }
    }
    return refuse_name(place_of_name);
  }
  bool StartObject() noexcept {
    if (in_object_) {
      return refuse_kind();
    }
    in_object_ = true;
    behind_last_ = skip(text(), 0, "") + 1;
    return enter();
  }
  bool EndObject(rapidjson::SizeType) noexcept {
    for (const JsonMember& member : members_) {
      if (member.is_required_ && !member.is_given_) {
        return refuse(skip(text(), behind_last_, ""), member.name_, " is missing");
      }
    }
    return leave();
  }
  bool StartArray() noexcept { return refuse_kind(); }
  bool EndArray(rapidjson::SizeType) noexcept { return true; }

  // Numbers come as RawNumber; the reader's other paths are compiled all the same.
  bool Int(int) noexcept { return refuse_kind(); }
  bool Uint(unsigned) noexcept { return refuse_kind(); }
  bool Int64(std::int64_t) noexcept { return refuse_kind(); }
  bool Uint64(std::uint64_t) noexcept { return refuse_kind(); }
  bool Double(double) noexcept { return refuse_kind(); }

 private:
  bool accept() noexcept {
    behind_last_ = place();
    return true;
  }

  [[nodiscard]] std::size_t value_place() const noexcept { return skip(text(), behind_name_, ":"); }

  // The value is not what the member, or the document, should be.
  bool refuse_kind() noexcept {
    if (!in_object_ || member_ == nullptr) {
      return refuse(skip(text(), 0, ""), "an object is expected here");
    }
    switch (member_->kind_) {
      case JsonMember::Kind::integer:
        return refuse(value_place(), member_->name_, " is not an integer from ",
                      base::Decimal{member_->range_.min}.view(), " to ", base::Decimal{member_->range_.max}.view());
      case JsonMember::Kind::boolean:
        return refuse(value_place(), member_->name_, " is neither true nor false");
      case JsonMember::Kind::text:
        break;
    }
    return refuse(value_place(), member_->name_, " is not a text");
  }

  // Says which names there are: whoever mistyped one wants to know. The peer's own bytes are not repeated.
  bool refuse_name(std::size_t place_of_name) noexcept {
    std::array<char, JsonError::reason_max> memory{};
    base::TextWriter reason{memory};
    reason.put("there is no such member; there is");
    for (const JsonMember& member : members_) {
      reason.put(&member == members_.data() ? " " : ", ").put(member.name_);
    }
    return refuse(place_of_name, reason.view());
  }

  std::span<JsonMember> members_;
  JsonMember* member_ = nullptr;  // whose value is being read
  bool in_object_ = false;
  std::size_t behind_last_ = 0;  // just behind the last value, or the object's bracket
  std::size_t behind_name_ = 0;  // just behind the member's name
};

JsonMember JsonMember::integer(std::string_view name, std::uint64_t& target, Range range) noexcept {
  JsonMember member;
  member.name_ = name;
  member.kind_ = Kind::integer;
  member.range_ = range;
  member.target_ = &target;
  return member;
}

JsonMember JsonMember::boolean(std::string_view name, bool& target) noexcept {
  JsonMember member;
  member.name_ = name;
  member.kind_ = Kind::boolean;
  member.target_ = &target;
  return member;
}

JsonMember JsonMember::text(std::string_view name, std::string_view& target, std::span<char> memory) noexcept {
  JsonMember member;
  member.name_ = name;
  member.kind_ = Kind::text;
  member.target_ = &target;
  member.memory_ = memory;
  return member;
}

std::optional<JsonError> read_json_object(std::string_view text, std::span<JsonMember> members) noexcept {
  JsonObjectReader handler{text, members};
  return read(text, handler);
}

std::optional<JsonError> check_json(std::string_view text) noexcept {
  CheckHandler handler{text};
  return read(text, handler);
}

}  // namespace pollux::apps
