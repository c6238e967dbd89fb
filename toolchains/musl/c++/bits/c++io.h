// The lock in std::basic_filebuf, unused, as large as glibc's: libstdc++.a has the offsets of what stands behind it compiled in.
#ifndef _GLIBCXX_CXX_IO_H
#define _GLIBCXX_CXX_IO_H 1
#include <cstdio>
namespace std {
struct __c_lock {
#if defined(__aarch64__)
  alignas(long) char __bytes[48];
#else
  alignas(long) char __bytes[sizeof(long) == 8 ? 40 : 24];
#endif
};
typedef FILE __c_file;
}  // namespace std
#endif
