# Read by CPack before it starts (CPACK_PROJECT_CONFIG_FILE): dates. All files of all packages get that of the changelog's entry, unless
# SOURCE_DATE_EPOCH says another one: the same tree gives the same packages.
file(STRINGS "${CPACK_POLLUX_DEBIAN}/changelog" head REGEX "^pollux \\(")
list(GET head 0 head)
if(NOT head MATCHES "^pollux \\(${CPACK_PACKAGE_VERSION}\\) ")
  message(FATAL_ERROR "cmake/debian/changelog: the first entry is not about version ${CPACK_PACKAGE_VERSION}; add one")
endif()
if(NOT DEFINED ENV{SOURCE_DATE_EPOCH})
  execute_process(
    COMMAND dpkg-parsechangelog -l "${CPACK_POLLUX_DEBIAN}/changelog" -S Timestamp
    OUTPUT_VARIABLE epoch
    OUTPUT_STRIP_TRAILING_WHITESPACE
    RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "dpkg-parsechangelog failed (${result}). Is dpkg-dev installed?")
  endif()
  set(ENV{SOURCE_DATE_EPOCH} ${epoch})
endif()
