// The firmware routes of Device.
#include "apps/device/access.hpp"
#include "apps/device/device.hpp"
#include "apps/device/device_json.hpp"

namespace pollux::device {

namespace {

// What an upload keeps between the handler's calls.
struct Upload {
  bool is_writing = false;  // this request has begun the store's upload and not ended it
};

}  // namespace

void Device::answer_firmware_error(http::ResponseWriter& writer, FirmwareError error) noexcept {
  switch (error) {
    case FirmwareError::no_directory:
      answer_error(writer, 503, "this device takes no firmware: it was started without --data DIR");
      return;
    case FirmwareError::busy:
      writer.set("Retry-After", "10");
      answer_error(writer, 409, "another upload is in progress");
      return;
    case FirmwareError::no_space:
      answer_error(writer, 507, "the image does not fit on the disk");
      return;
    case FirmwareError::not_permitted:
      answer_error(writer, 403, "this program may not write to its data directory");
      return;
    case FirmwareError::none:
    case FirmwareError::failed:
      break;
  }
  answer_error(writer, 500, "the disk did not take the image");
}

void Device::get_firmware(http::ResponseWriter& writer, http::Request&) noexcept {
  if (!firmware_.is_open()) {
    answer_firmware_error(writer, FirmwareError::no_directory);
    return;
  }
  const auto info = firmware_.info();
  if (!info) {
    answer_error(writer, 404, "no firmware has been uploaded");
    return;
  }
  answer_json(writer, 200, [&info](apps::JsonWriter& json) { write_firmware(json, *info); });
}

http::Next Device::put_firmware(http::ResponseWriter& writer, http::Request& request) noexcept {
  auto& upload = request.state<Upload>();
  if (request.event() == http::Event::gone) {
    if (upload.is_writing) {
      firmware_.discard();
    }
    return http::Next::done;
  }
  if (request.event() == http::Event::start) {
    if (is_cross_site(request)) {
      answer_error(writer, 403, "a page of another site may not change anything here");
      return http::Next::done;
    }
    if (const FirmwareError error = firmware_.begin(request.content_length()); error != FirmwareError::none) {
      answer_firmware_error(writer, error);
      return http::Next::done;
    }
    upload.is_writing = true;
    // An image may take as long as it needs. What does not move is still ended: by ServerTimeouts::stall and rate_min.
    request.set_read_deadline({});
    request.set_write_deadline({});
  }
  const http::Next next = take_firmware(writer, request);
  upload.is_writing = next == http::Next::read_body;
  return next;
}

// Writes what has come of the image, and answers when that was all or it cannot go on.
http::Next Device::take_firmware(http::ResponseWriter& writer, http::Request& request) noexcept {
  const std::string_view piece = request.body_bytes();
  if (const FirmwareError error = firmware_.write(piece); error != FirmwareError::none) {
    answer_firmware_error(writer, error);
    return http::Next::done;
  }
  request.consume(piece.size());
  switch (request.body_state()) {
    case http::BodyState::more:
      return http::Next::read_body;
    case http::BodyState::complete:
      finish_firmware(writer);
      return http::Next::done;
    case http::BodyState::too_large:
      firmware_.discard();
      answer_error(writer, 413, "the image is larger than --firmware-max allows");
      return http::Next::done;
    case http::BodyState::failed:
      break;
  }
  firmware_.discard();
  answer_error(writer, 400, "the image did not come whole");
  return http::Next::done;
}

void Device::finish_firmware(http::ResponseWriter& writer) noexcept {
  if (firmware_.uploaded() == 0) {
    firmware_.discard();
    answer_error(writer, 400, "an empty body is no image");
    return;
  }
  if (const FirmwareError error = firmware_.commit(); error != FirmwareError::none) {
    answer_firmware_error(writer, error);
    return;
  }
  if (const auto info = firmware_.info()) {
    answer_json(writer, 200, [&info](apps::JsonWriter& json) { write_firmware(json, *info); });
    return;
  }
  answer_firmware_error(writer, FirmwareError::failed);
}

}  // namespace pollux::device
