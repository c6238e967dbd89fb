# Run by CPack (CPACK_PRE_BUILD_SCRIPTS) when the components are installed into ${CPACK_TEMPORARY_DIRECTORY}/COMPONENT, before packages are
# made of them: strips, and adds what Debian's policy wants in a package. Variables of CPack that are set here are those it goes on with.

# run(WHAT COMMAND...): or the packaging ends. The output is in run_output.
macro(run)
  execute_process(COMMAND ${ARGV} OUTPUT_VARIABLE run_output ERROR_VARIABLE run_errors RESULT_VARIABLE run_result)
  if(NOT run_result EQUAL 0)
    message(FATAL_ERROR "cmake/debian/stage.cmake: ${ARGV}: ${run_result}\n${run_output}${run_errors}")
  endif()
endmacro()

# compressed(FILE): FILE.gz instead of FILE, without a name and a date in it.
macro(compressed file)
  run(gzip -9 -n "${file}")
endmacro()

string(TIMESTAMP pollux_date "%Y-%m-%d" UTC)  # of SOURCE_DATE_EPOCH, see options.cmake

# (MATCHES compares words; STREQUAL would take a word for a variable of that name.)
foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER ${component} COMPONENT)
  set(package ${CPACK_DEBIAN_${COMPONENT}_PACKAGE_NAME})
  set(tree "${CPACK_TEMPORARY_DIRECTORY}/${component}")

  # ---- what is compiled
  file(GLOB_RECURSE archives "${tree}/usr/*.a")
  foreach(archive IN LISTS archives)
    # Without line numbers, and without what the compiler would optimise across libraries: that is for this very compiler.
    run("${CPACK_POLLUX_STRIP}" --strip-debug --remove-section=.comment --remove-section=.note
        "--remove-section=.gnu.lto_*" "--remove-section=.gnu.debuglto_*" --enable-deterministic-archives "${archive}")
  endforeach()
  file(GLOB programs "${tree}/usr/bin/*")
  set(pages "")
  foreach(program IN LISTS programs)
    cmake_path(GET program FILENAME name)
    if(CPACK_POLLUX_CROSSCOMPILING AND NOT CPACK_POLLUX_EMULATOR)
      message(FATAL_ERROR "The manual pages are what the programs say with --help, and nothing here runs them. Type:\n"
                          "  apt-get install --no-install-recommends qemu-user\nand configure again")
    endif()
    run(${CPACK_POLLUX_EMULATOR} "${program}" --help)
    set(page "${tree}/usr/share/man/man1/${name}.1")
    file(WRITE "${page}.txt" "${run_output}")
    run(awk -v "name=${name}" -v "version=${CPACK_PACKAGE_VERSION}" -v "date=${pollux_date}" -f "${CPACK_POLLUX_DEBIAN}/manual.awk"
        "${page}.txt")
    file(REMOVE "${page}.txt")
    file(WRITE "${page}" "${run_output}")
    compressed("${page}")
    run("${CPACK_POLLUX_STRIP}" --remove-section=.comment --remove-section=.note "${program}")
  endforeach()
  if(programs AND CPACK_POLLUX_CROSSCOMPILING)
    run("${CPACK_POLLUX_DEBIAN}/depends" ${programs})
    string(STRIP "${run_output}" depends)
    list(APPEND depends ${CPACK_DEBIAN_${COMPONENT}_PACKAGE_DEPENDS})
    list(JOIN depends ", " depends)
    set(CPACK_DEBIAN_${COMPONENT}_PACKAGE_DEPENDS "${depends}")
  endif()

  # ---- documents: a package has its own folder of them
  file(REMOVE_RECURSE "${tree}/usr/share/doc")
  set(documents "${tree}/usr/share/doc/${package}")
  file(MAKE_DIRECTORY "${documents}")
  file(COPY "${CPACK_POLLUX_DEBIAN}/copyright" "${CPACK_POLLUX_DEBIAN}/changelog" DESTINATION "${documents}")
  compressed("${documents}/changelog")
  if(component MATCHES "^development$")
    file(COPY "${CPACK_POLLUX_ROOT}/README.md" DESTINATION "${documents}")
  endif()

  # ---- what starts it
  if(component MATCHES "^device$")
    file(COPY "${CPACK_POLLUX_SERVICES}/pollux-device.service" "${CPACK_POLLUX_ROOT}/board/systemd/pollux-device.socket"
         DESTINATION "${tree}/usr/lib/systemd/system")
    file(COPY "${CPACK_POLLUX_ROOT}/board/systemd/60-pollux-device.rules" DESTINATION "${tree}/usr/lib/udev/rules.d")
    configure_file("${CPACK_POLLUX_ROOT}/board/systemd/pollux-device.sysusers" "${tree}/usr/lib/sysusers.d/pollux-device.conf" COPYONLY)
    configure_file("${CPACK_POLLUX_ROOT}/board/init/pollux-device.default" "${tree}/etc/default/pollux-device" COPYONLY)
    # For Debian without systemd.
    file(COPY "${CPACK_POLLUX_ROOT}/board/init/pollux-device.init" "${CPACK_POLLUX_ROOT}/board/init/pollux-device.openrc"
         DESTINATION "${documents}/examples")
  endif()

  # ---- two architectures of it beside each other, for cross compiling. CPack 3.25 has no variable for the field (3.31 has), but this
  # one is written as it is.
  if(component MATCHES "^(development|testing)$" AND CPACK_POLLUX_LIBDIR MATCHES "/${CPACK_POLLUX_LIBRARY_ARCHITECTURE}$")
    set(CPACK_DEBIAN_${COMPONENT}_PACKAGE_PRIORITY "${CPACK_DEBIAN_PACKAGE_PRIORITY}\nMulti-Arch: same")
  elseif(component MATCHES "^programs$")
    set(CPACK_DEBIAN_${COMPONENT}_PACKAGE_PRIORITY "${CPACK_DEBIAN_PACKAGE_PRIORITY}\nMulti-Arch: foreign")
  endif()

  # ---- folders and files are as open as Debian's are, whatever umask this runs with
  run(chmod -R u+rwX,go=rX "${tree}")
endforeach()
