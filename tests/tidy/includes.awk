# Holds the include arrows of README.md ("Folders"): prints FILE:LINE: RULE for each #include that is not allowed and exits 1.
# Run from the root of the tree: awk -f tests/tidy/includes.awk FILES...

BEGIN {
  # What each layer may include, as a regular expression over paths; the first pattern that matches the file decides. A file's own
  # folder is written out like everything else.
  layer_count = 0
  layer("^port/linux/", "^port/(linux/)?[a-z0-9_]+\\.hpp$", "port/linux includes port and itself")
  layer("^port/sim/", "^port/(sim/)?[a-z0-9_]+\\.hpp$", "port/sim includes port and itself")
  layer("^port/fault/", "^port/(fault/)?[a-z0-9_]+\\.hpp$", "port/fault includes port and itself")
  layer("^port/", "^port/[a-z0-9_]+\\.hpp$", "port includes only port, not its implementations")
  layer("^stack/base/", "^(stack/base/|port/(time|result|ensure)\\.hpp$)", \
        "stack/base includes stack/base and port/{time,result,ensure}")
  layer("^stack/wire/", "^(stack/(wire|base)/|port/(time|result|ensure)\\.hpp$)", \
        "stack/wire includes stack/wire, stack/base and port/{time,result,ensure}")
  layer("^stack/tls/", "^(stack/(tls|base)/|port/[a-z0-9_]+\\.hpp$|mbedtls/|psa/)", "stack/tls includes stack/base and port")
  layer("^stack/net/", "^(stack/(net|tls|base)/|port/[a-z0-9_]+\\.hpp$)", \
        "stack/net includes stack/tls, stack/base and port, not its implementations")
  layer("^stack/http/", "^(stack/(http|net|tls|wire|base)/|port/[a-z0-9_]+\\.hpp$)", \
        "stack/http includes stack/net, stack/tls, stack/wire, stack/base and port, not its implementations")
  layer("^stack/", "^$", "a file in stack belongs into one of its layers")
  layer("^board/", "^(board/|stack/(http|tls)/limits\\.hpp$)", \
        "board is data: it includes stack/http/limits.hpp and stack/tls/limits.hpp, and nothing else")
  layer("^apps/", "^(apps/|board/|stack/|port/(linux/)?[a-z0-9_]+\\.hpp$)", "apps include apps, board, stack, port and port/linux")

  # Headers of the C++ library that need neither the heap nor libstdc++.so.
  split("algorithm array bit cerrno charconv chrono cinttypes climits compare concepts cstdarg cstddef cstdint cstring " \
        "initializer_list iterator limits memory new numeric optional ranges ratio source_location span string_view tuple " \
        "type_traits utility variant version", names, " ")
  for (i in names) { is_plain[names[i]] = 1 }
}

function layer(files, may, rule) {
  layer_files[layer_count] = files
  layer_may[layer_count] = may
  layer_rule[layer_count] = rule
  ++layer_count
}

function wrong(rule) {
  printf "%s:%d: %s: %s\n", FILENAME, FNR, rule, $0
  failed = 1
}

function check_own(path, i) {
  if (path ~ /^stack\/tls\/(mbedtls|session_hooks|x509)\.hpp$/ && FILENAME !~ /^stack\/tls\//) {
    wrong("this header includes mbedTLS: inside stack/tls only")
    return
  }
  for (i = 0; i < layer_count; ++i) {
    if (FILENAME ~ layer_files[i]) {
      if (path !~ layer_may[i]) { wrong(layer_rule[i]) }
      return
    }
  }
}

function check_system(header) {
  if (header ~ /^(mbedtls|psa)\// || header ~ /^(zlib|gtest|benchmark)/) {
    if (header ~ /^(mbedtls|psa)\// && FILENAME !~ /^stack\/tls\//) { wrong("only stack/tls includes mbedTLS") }
    return
  }
  if (FILENAME ~ /^(port\/(sim|linux|fault)|apps)\// || FILENAME ~ /^port\/[a-z0-9_]+\.cpp$/) { return }
  if (header in is_plain) { return }
  if (header ~ /^(immintrin|emmintrin|tmmintrin|smmintrin|nmmintrin|arm_neon)\.h$/ && FILENAME ~ /^stack\/wire\//) { return }
  if (header == "ctime" && FILENAME ~ /^stack\/tls\//) { return }  # mbedTLS asks us for a std::tm
  if (header == "sanitizer/asan_interface.h" && FILENAME ~ /^stack\/base\//) { return }
  if (header ~ /\.h$/ || header ~ /^(unistd|sys\/)/) {
    wrong("system headers belong into port/linux, port/*.cpp and apps")
  } else {
    wrong("port and stack do without the heap and libstdc++, so without this header")
  }
}

/^[ \t]*#[ \t]*include[ \t]*"/ {
  split($0, part, "\"")
  check_own(part[2])
}
/^[ \t]*#[ \t]*include[ \t]*</ {
  header = $0
  sub(/^[^<]*</, "", header)
  sub(/>.*$/, "", header)
  check_system(header)
}

END { exit failed }
