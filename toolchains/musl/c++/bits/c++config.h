// libstdc++'s configuration without the three functions of glibc that musl 1.2 does not have.
#ifndef POLLUX_MUSL_CXXCONFIG
#define POLLUX_MUSL_CXXCONFIG
#include_next <bits/c++config.h>
#undef _GLIBCXX_USE_PTHREAD_MUTEX_CLOCKLOCK
#undef _GLIBCXX_USE_PTHREAD_COND_CLOCKWAIT
#undef _GLIBCXX_USE_PTHREAD_RWLOCK_CLOCKLOCK
#endif
