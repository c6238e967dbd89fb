# Writes a C++ file with the dashboard as constants: cmake -DFOLDER=... -DOUT=... [-DGZIP=/usr/bin/gzip] -P embed.cmake
set(files index.html style.css app.js icon.svg)
set(paths / /style.css /app.js /icon.svg)
set(types text/html text/css text/javascript image/svg+xml)

# Bytes in hexadecimal as the body of an array.
function(array_of hex result)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
  set(${result} "${bytes}" PARENT_SCOPE)
endfunction()

set(arrays "")
set(rows "")
set(number 0)
foreach(name path type IN ZIP_LISTS files paths types)
  set(file "${FOLDER}/${name}")
  if(type MATCHES "^text/")
    string(APPEND type "; charset=utf-8")
  endif()
  file(READ "${file}" hex HEX)
  file(SHA256 "${file}" digest)
  string(SUBSTRING "${digest}" 0 16 digest)
  array_of("${hex}" bytes)
  string(APPEND arrays "constexpr char plain_${number}[] = {${bytes}};\n")
  set(gzipped "{}")
  if(GZIP)
    # -n: no name and no time, so that the same page is the same program.
    execute_process(COMMAND "${GZIP}" -9 -n -c "${file}" OUTPUT_FILE "${OUT}.gz" COMMAND_ERROR_IS_FATAL ANY)
    file(READ "${OUT}.gz" hex HEX)
    file(REMOVE "${OUT}.gz")
    array_of("${hex}" bytes)
    string(APPEND arrays "constexpr char gzipped_${number}[] = {${bytes}};\n")
    set(gzipped "{gzipped_${number}, sizeof gzipped_${number}}")
  endif()
  string(APPEND rows "    {\"${path}\", \"${type}\", \"\\\"${digest}\\\"\", \"\\\"${digest}-gz\\\"\",\n"
                     "     {plain_${number}, sizeof plain_${number}}, ${gzipped}},\n")
  math(EXPR number "${number} + 1")
endforeach()

file(WRITE "${OUT}" "// Made by apps/device/embed.cmake from apps/device/dashboard.
#include \"apps/device/dashboard.hpp\"

namespace pollux::device {
namespace {
${arrays}constexpr Asset assets[] = {
${rows}};
}  // namespace
std::span<const Asset> dashboard_assets() noexcept { return assets; }
}  // namespace pollux::device
")
