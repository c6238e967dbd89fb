// FirmwareStore: takes an image piece by piece into DIR/firmware.bin.
//
// The pieces go to DIR/firmware.bin.part, which is synced and renamed when the image is whole: whatever happens, power loss included,
// firmware.bin is the old image or the new one. What a broken upload left behind is removed, at the latest by the next start.
//
//   if (store.begin(size) == FirmwareError::none) { store.write(piece); ...; store.commit(); }   // or discard()
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "port/time.hpp"

namespace pollux::device {

enum class FirmwareError : std::uint8_t {
  none,
  no_directory,   // open() was not called: there is no place for firmware
  busy,           // another upload is in progress
  no_space,       // ENOSPC, EDQUOT, EFBIG: it does not fit
  not_permitted,  // EACCES, EPERM, EROFS
  failed,         // the disk refused
};

struct FirmwareInfo {
  std::uint64_t size = 0;  // bytes
  port::WallTime modified;
};

class FirmwareStore {
 public:
  constexpr FirmwareStore() = default;
  ~FirmwareStore();
  FirmwareStore(const FirmwareStore&) = delete;
  FirmwareStore& operator=(const FirmwareStore&) = delete;

  // Once, at start: opens the directory and removes what an earlier upload left behind. 0, or an errno. `directory` is a
  // NUL-terminated text, as from the command line.
  [[nodiscard]] int open(std::string_view directory) noexcept;
  [[nodiscard]] bool is_open() const noexcept { return directory_ >= 0; }

  // Nothing if there is no image.
  [[nodiscard]] std::optional<FirmwareInfo> info() const noexcept;

  // ---- an upload; one at a time
  // `size` of the image, if that is known: what cannot fit is refused before a byte of it comes.
  [[nodiscard]] FirmwareError begin(std::optional<std::uint64_t> size) noexcept;
  // May wait for the disk. After an error the upload is over and nothing of it is left.
  [[nodiscard]] FirmwareError write(std::string_view piece) noexcept;
  // Makes what was written the image. After an error as above.
  [[nodiscard]] FirmwareError commit() noexcept;
  // Ends the upload and forgets it. Does nothing if there is none.
  void discard() noexcept;
  [[nodiscard]] bool is_uploading() const noexcept { return file_ >= 0; }
  [[nodiscard]] std::uint64_t uploaded() const noexcept { return uploaded_; }  // bytes so far, or of the last upload

 private:
  [[nodiscard]] FirmwareError fail(int number) noexcept;

  int directory_ = -1;
  int file_ = -1;  // of the upload in progress
  std::uint64_t uploaded_ = 0;
};

}  // namespace pollux::device
