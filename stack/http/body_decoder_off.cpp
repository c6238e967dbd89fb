// BodyDecoder in a build without zlib (POLLUX_GZIP=OFF): no pool ever has one, so nothing but the pool's two answers is reached.
#include "port/ensure.hpp"
#include "stack/http/body_decoder.hpp"

namespace pollux::http {

BodyDecoder* DecoderPool::take(ContentCoding /*coding*/, const DecodeLimits& /*limits*/) noexcept {
  return nullptr;
}

bool DecoderPool::has_free() const noexcept {
  return false;
}

bool DecoderPool::is_built() noexcept {
  return false;
}

std::size_t BodyDecoder::feed(std::string_view /*raw*/) noexcept {
  ENSURE(DecoderPool::is_built());
  return 0;
}

void BodyDecoder::end_input() noexcept {
  ENSURE(DecoderPool::is_built());
}

void BodyDecoder::consume(std::size_t /*count*/) noexcept {
  ENSURE(DecoderPool::is_built());
}

bool BodyDecoder::is_complete() const noexcept {
  return false;
}

}  // namespace pollux::http
