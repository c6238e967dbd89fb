#include "apps/device/own_certificate.hpp"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "apps/support/line.hpp"
#include "stack/base/text.hpp"
#include "stack/tls/certificate.hpp"

namespace pollux::device {

namespace {

constexpr const char* key_name = "key.pem";
constexpr const char* key_part = "key.pem.part";
constexpr const char* certificate_name = "cert.pem";
constexpr const char* certificate_part = "cert.pem.part";

constexpr std::int64_t day_s = 86'400;

void complain(std::string_view path, std::string_view name, std::string_view what) noexcept {
  apps::print_line(STDERR_FILENO, "--tls-self-signed ", path, name.empty() ? "" : "/", name, ": ", what);
}

bool exists(int directory, const char* name) noexcept {
  struct stat status {};
  return ::fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

// A new file with this content, on the disk. 0 or an errno.
int write_new(int directory, const char* name, std::string_view text, mode_t mode) noexcept {
  const int file = ::openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (file < 0) {
    return errno;
  }
  int number = 0;
  while (!text.empty() && number == 0) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written > 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (written == 0 || errno != EINTR) {
      number = written == 0 ? EIO : errno;
    }
  }
  if (number == 0 && ::fsync(file) != 0) {
    number = errno;
  }
  ::close(file);
  if (number != 0) {
    ::unlinkat(directory, name, 0);
  }
  return number;
}

// To the name it is for, which nobody has. 0 or an errno.
int rename_new(int directory, const char* part, const char* name) noexcept {
  // linkat fails if the name exists, renameat would replace it; where the file system has no links it has been looked for before.
  if (::linkat(directory, part, directory, name, 0) == 0) {
    ::unlinkat(directory, part, 0);
    return 0;
  }
  if (errno == EEXIST) {
    return EEXIST;
  }
  return ::renameat(directory, part, directory, name) == 0 ? 0 : errno;
}

bool is_host_name(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return base::is_alpha(c) || base::is_digit(c) || c == '-' || c == '.';
  });
}

// The names of the certificate, without repetitions.
class NameList {
 public:
  static constexpr std::size_t size_max = 24;
  void add(std::string_view name) noexcept {
    for (std::size_t i = 0; i < size_; ++i) {
      if (base::equal_ignoring_case(names_[i], name)) {
        return;
      }
    }
    if (size_ < size_max && !name.empty()) {
      names_[size_++] = name;
    }
  }
  [[nodiscard]] std::span<const std::string_view> all() const noexcept { return {names_.data(), size_}; }

 private:
  std::array<std::string_view, size_max> names_{};
  std::size_t size_ = 0;
};

}  // namespace

Validity validity_from(port::WallTime now, bool is_clock_set, port::WallTime build_time) noexcept {
  const port::WallTime yesterday{.seconds = now.seconds - day_s};
  const port::WallTime begin = is_clock_set && yesterday > build_time ? yesterday : build_time;
  return {.not_before = begin,
          .not_after = {.seconds = begin.seconds + OwnCertificate::lifetime_years * std::int64_t{365} * day_s}};
}

int OwnCertificate::prepare(tls::Library& library, std::string_view directory, const Names& names) noexcept {
  base::TextWriter certificate{certificate_};
  base::TextWriter key{key_};
  certificate.put(directory).put('/').put(certificate_name);
  key.put(directory).put('/').put(key_name);
  std::array<char, path_max> path{};
  if (certificate.overflowed() || key.overflowed()) {
    complain(directory, {}, "the name is too long");
    return 2;
  }
  directory.copy(path.data(), path.size() - 1);
  const int folder = ::open(path.data(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) {
    complain(directory, {}, ::strerror(errno));
    return 1;
  }
  // A power cut came between the two renames: both files are whole.
  if (exists(folder, key_name) && !exists(folder, certificate_name) && exists(folder, certificate_part)) {
    static_cast<void>(rename_new(folder, certificate_part, certificate_name));
  }
  const bool has_key = exists(folder, key_name);
  const bool has_certificate = exists(folder, certificate_name);
  bool is_good = true;
  if (has_key != has_certificate) {
    complain(
        directory, has_key ? certificate_name : key_name,
        has_key
            ? "is missing, and key.pem is there. Nothing is overwritten: put it back, or remove the key too"
            : "is missing, and cert.pem is there. Nothing is overwritten: put it back, or remove the certificate too");
    is_good = false;
  } else if (!has_key) {
    is_good = make(library, folder, directory, names);
  }
  ::close(folder);
  if (!is_good) {
    return 1;
  }
  certificate_size_ = certificate.size();
  key_size_ = key.size();
  return 0;
}

bool OwnCertificate::make(tls::Library& library, int directory, std::string_view path, const Names& names) noexcept {
  std::array<char, 80> local_memory{};
  base::TextWriter local{local_memory};
  NameList list;
  // 64 bytes are the most a common name may have; longer ones, and what is no name, are left to the others.
  const bool has_hostname = is_host_name(names.hostname) && names.hostname.size() <= 64;
  if (has_hostname) {
    list.add(names.hostname);
    if (names.hostname.find('.') == std::string_view::npos) {
      list.add(local.put(names.hostname).put(".local").view());
    }
  }
  list.add("localhost");
  list.add("127.0.0.1");
  list.add("::1");
  std::array<std::array<char, port::address_text_max>, 16> texts{};
  std::size_t used = 0;
  for (const std::string_view value : names.listen) {
    const auto endpoint = port::parse_endpoint(value);
    if (!endpoint || endpoint->address.family == port::Family::local || used == texts.size()) {
      continue;
    }
    const port::Address& address = endpoint->address;
    if (address.ip == decltype(address.ip){}) {
      continue;  // any: no address of anybody
    }
    list.add(port::format_ip(address, texts[used++]));
  }
  const Validity validity =
      validity_from(library.port().wall_clock(), library.is_clock_set(), tls::Library::build_time());
  std::array<char, 512> key_memory{};
  std::array<char, 4096> certificate_memory{};
  const auto made = tls::make_self_signed(library,
                                          {.common_name = has_hostname ? names.hostname : "localhost",
                                           .names = list.all(),
                                           .not_before = validity.not_before,
                                           .not_after = validity.not_after},
                                          key_memory, certificate_memory);
  if (!made) {
    ::explicit_bzero(key_memory.data(), key_memory.size());
    complain(path, {}, tls::describe(made.error()));
    return false;
  }
  ::unlinkat(directory, key_part, 0);
  ::unlinkat(directory, certificate_part, 0);
  const char* name = certificate_part;
  int number = write_new(directory, certificate_part, made->certificate, 0644);
  if (number == 0) {
    name = key_part;
    number = write_new(directory, key_part, made->key, 0600);
  }
  ::explicit_bzero(key_memory.data(), key_memory.size());
  if (number == 0) {
    name = key_name;
    number = rename_new(directory, key_part, key_name);
  }
  if (number == 0) {
    name = certificate_name;
    number = rename_new(directory, certificate_part, certificate_name);
  }
  if (number != 0) {
    ::unlinkat(directory, key_part, 0);
    complain(path, name, ::strerror(number));
    return false;
  }
  ::fsync(directory);  // the names, too, have to survive a power loss
  is_new_ = true;
  return true;
}

}  // namespace pollux::device
