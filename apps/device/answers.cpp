#include "apps/device/answers.hpp"

#include "port/ensure.hpp"

namespace pollux::device {

Document* Documents::take() noexcept {
  for (Document& document : documents_) {
    if (document.owner_ == nullptr) {
      document.owner_ = this;
      document.text_ = base::TextWriter{document.memory_};
      ++used_;
      used_max_ = used_ > used_max_ ? used_ : used_max_;
      return &document;
    }
  }
  return nullptr;
}

void Documents::give_back(Document& document) noexcept {
  ENSURE(document.owner_ == this);
  document.owner_ = nullptr;
  --used_;
}

void Documents::send(http::ResponseWriter& writer, Document& document, int status, std::string_view type) noexcept {
  if (document.text_.overflowed()) {
    document.owner_->give_back(document);
    answer_error(writer, 500, "the answer does not fit into its memory");
    return;
  }
  writer.status(status);
  writer.set("Content-Type", type);
  writer.set("Cache-Control", "no-store");
  writer.set("X-Content-Type-Options", "nosniff");
  const auto pull = [](void* object, std::span<char> out, std::uint64_t offset) -> http::PullResult {
    const std::string_view rest = static_cast<Document*>(object)->text_.view().substr(static_cast<std::size_t>(offset));
    const std::size_t size = rest.size() < out.size() ? rest.size() : out.size();
    rest.copy(out.data(), size);
    return {.kind = size == rest.size() ? http::PullResult::Kind::end : http::PullResult::Kind::more, .size = size};
  };
  const auto close = [](void* object) {
    auto* closed = static_cast<Document*>(object);
    closed->owner_->give_back(*closed);
  };
  writer.send_source({.pull = pull, .close = close, .object = &document}, document.text_.size());
}

void answer_error(http::ResponseWriter& writer, int status, std::string_view message) noexcept {
  std::array<char, 512> memory{};
  base::TextWriter text{memory};
  apps::JsonWriter json{apps::json_sink(text)};
  json.begin_object().key("error").begin_object();
  json.member("status", status).member("message", message);
  json.end_object().end_object();
  text.put('\n');
  writer.set("Cache-Control", "no-store");
  writer.set("X-Content-Type-Options", "nosniff");
  writer.json(status, text.view());
}

}  // namespace pollux::device
