// libstdc++'s headers as Debian builds them for glibc, over musl: this replaces their os_defines.h, the file in which libstdc++ keeps
// what depends on the C library. It stands before libstdc++'s own folder in the search path (toolchains/musl/specs.in).
#ifndef _GLIBCXX_OS_DEFINES
#define _GLIBCXX_OS_DEFINES 1
#define __NO_CTYPE 1
#include <features.h>
// Weak references are glibc's way to do without libpthread; musl's threads are in libc itself.
#define _GLIBCXX_GTHREAD_USE_WEAK 0
// glibc's names that libstdc++'s headers for it mention; the values are those that are compiled into libstdc++.a (little endian).
typedef struct __locale_struct* __locale_t;
enum {
  _ISupper = 0x100,
  _ISlower = 0x200,
  _ISalpha = 0x400,
  _ISdigit = 0x800,
  _ISxdigit = 0x1000,
  _ISspace = 0x2000,
  _ISprint = 0x4000,
  _ISgraph = 0x8000,
  _ISblank = 0x1,
  _IScntrl = 0x2,
  _ISpunct = 0x4,
  _ISalnum = 0x8
};
#endif
