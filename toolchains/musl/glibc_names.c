/* What libstdc++.a and libgcc_eh.a, which were built for glibc, ask of the C library and musl does not have, or has another way. An archive
 * member that only programs with libstdc++ get: tests, and the apps that use std::string. Little-endian machines. */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

char __libc_single_threaded = 0;

/* "Not found" makes libgcc's unwinder ask dl_iterate_phdr(), which musl has. */
int _dl_find_object(void* address, void* result) {
  (void)address;
  (void)result;
  return -1;
}

unsigned arc4random(void) {
  unsigned value = 0;
  return getrandom(&value, sizeof value, 0) == sizeof value ? value : 0;
}

/* ---- files: musl's off_t has 64 bits everywhere */

FILE* fopen64(const char* path, const char* mode) { return fopen(path, mode); }
int fseeko64(FILE* file, off_t offset, int whence) { return fseeko(file, offset, whence); }
off_t ftello64(FILE* file) { return ftello(file); }
off_t lseek64(int descriptor, off_t offset, int whence) { return lseek(descriptor, offset, whence); }
int truncate64(const char* path, off_t size) { return truncate(path, size); }
struct dirent* readdir64(DIR* directory) { return readdir(directory); }
ssize_t sendfile64(int to, int from, off_t* offset, size_t count) { return sendfile(to, from, offset, count); }

int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = va_arg(arguments, mode_t);
  va_end(arguments);
  return open(path, flags, mode);
}
int openat64(int directory, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = va_arg(arguments, mode_t);
  va_end(arguments);
  return openat(directory, path, flags, mode);
}

/* glibc's struct stat64 of a 32-bit machine is how musl's struct stat begins; the 64-bit times stand behind it. On a 64-bit one they are
 * the same. */
#define STAT64_SIZE (sizeof(long) == 4 ? offsetof(struct stat, st_ino) : sizeof(struct stat))
static int copy_status(int result, const struct stat* status, void* to) {
  if (result == 0) {
    memcpy(to, status, STAT64_SIZE);
    if (sizeof(long) == 4) {
      memcpy((char*)to + STAT64_SIZE, &status->st_ino, sizeof status->st_ino);
    }
  }
  return result;
}
int stat64(const char* path, void* to) {
  struct stat status;
  return copy_status(stat(path, &status), &status, to);
}
int lstat64(const char* path, void* to) {
  struct stat status;
  return copy_status(lstat(path, &status), &status, to);
}
int fstat64(int descriptor, void* to) {
  struct stat status;
  return copy_status(fstat(descriptor, &status), &status, to);
}
/* std::filesystem::space() alone; nobody here asks. */
int statvfs64(const char* path, void* to) {
  (void)path;
  (void)to;
  errno = ENOSYS;
  return -1;
}

/* ---- locales: there is "C". libstdc++ reads the tables of character classes out of glibc's structure; musl's is how this one begins. */

static struct {
  void* categories[13];
  const unsigned short* classes;
  const int* lower;
  const int* upper;
  const char* names[13];
} c_locale;

/* From -128 to 255, as glibc's. */
static unsigned short classes[384];
static int lower[384];
static int upper[384];

locale_t __newlocale(int mask, const char* name, locale_t base) {
  (void)mask;
  (void)base;
  if (strcmp(name, "C") != 0 && strcmp(name, "POSIX") != 0) {
    errno = ENOENT;
    return NULL;
  }
  for (int c = 0; c < 256; ++c) {
    classes[c + 128] = (unsigned short)((isupper(c) ? 0x100 : 0) | (islower(c) ? 0x200 : 0) | (isalpha(c) ? 0x400 : 0) |
                                        (isdigit(c) ? 0x800 : 0) | (isxdigit(c) ? 0x1000 : 0) | (isspace(c) ? 0x2000 : 0) |
                                        (isprint(c) ? 0x4000 : 0) | (isgraph(c) ? 0x8000 : 0) | (isblank(c) ? 1 : 0) |
                                        (iscntrl(c) ? 2 : 0) | (ispunct(c) ? 4 : 0) | (isalnum(c) ? 8 : 0));
    lower[c + 128] = tolower(c);
    upper[c + 128] = toupper(c);
  }
  c_locale.classes = classes + 128;
  c_locale.lower = lower + 128;
  c_locale.upper = upper + 128;
  for (int i = 0; i < 13; ++i) {
    c_locale.names[i] = "C";
  }
  return (locale_t)&c_locale;
}
locale_t newlocale(int mask, const char* name, locale_t base) { return __newlocale(mask, name, base); }
locale_t __duplocale(locale_t locale) { return locale; }
locale_t duplocale(locale_t locale) { return locale; }
void __freelocale(locale_t locale) { (void)locale; }
void freelocale(locale_t locale) { (void)locale; }
