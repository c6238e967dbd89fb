// A build without zlib.
#include "stack/http/body_decoder.hpp"

namespace pollux::http {
namespace {

DecoderStorage<1> storage;

TEST(BodyDecoder, IsNeverGivenWithoutZlib) {
  DecoderPool pool{storage.memory()};
  EXPECT_FALSE(DecoderPool::is_built());
  EXPECT_FALSE(pool.has_free());
  EXPECT_EQ(pool.take(ContentCoding::gzip, {}), nullptr);
  EXPECT_EQ(content_coding_from("gzip"), ContentCoding::gzip);
}

}  // namespace
}  // namespace pollux::http
