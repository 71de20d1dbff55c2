# SPDX-License-Identifier: Apache-2.0
#
# cmake -D ROOT=DIR -P hygiene_test.cmake: fails when a source or script lacks its licence line or
# holds a marker of unfinished work, and names each offence as FILE or FILE:LINE.
include(${CMAKE_CURRENT_LIST_DIR}/source_lines.cmake)

set(folders agent cgroup config systemd packaging tests .ci)
set(recorded "^tests/(fixtures|golden|fuzz/corpus)/")
set(source_name "(^|/)(CMakeLists[.]txt|[^/]+[.](h|cc|cmake|sh))$")
# The one-letter sets keep this line from being an offence itself.
set(marker "(^|[^A-Za-z0-9_])(TO[D]O|FIX[M]E|X[X]X)([^A-Za-z0-9_]|$)")

list(TRANSFORM folders PREPEND ${ROOT}/ OUTPUT_VARIABLE patterns)
list(TRANSFORM patterns APPEND /*)
file(GLOB_RECURSE files RELATIVE ${ROOT} ${patterns} ${ROOT}/CMakeLists.txt)
list(FILTER files EXCLUDE REGEX ${recorded})

set(offences "")
foreach(file IN LISTS files)
  file(READ ${ROOT}/${file} start LIMIT 256)
  if(NOT file MATCHES "${source_name}" AND NOT start MATCHES "^#!")
    continue()
  endif()
  if(NOT start MATCHES "(//|#) SPDX-License-Identifier: Apache-2[.]0\n")
    string(APPEND offences "${file}: no line \"SPDX-License-Identifier: Apache-2.0\" at its start\n")
  endif()
  source_lines(${ROOT}/${file} lines)
  set(number 0)
  foreach(line IN LISTS lines)
    math(EXPR number "${number} + 1")
    if(line MATCHES "${marker}")
      string(APPEND offences "${file}:${number}: finish it or say why not: ${CMAKE_MATCH_2}\n")
    endif()
  endforeach()
endforeach()

if(offences)
  message(NOTICE "${offences}")
  message(FATAL_ERROR "The files above break the rules at the head of tests/hygiene_test.cmake")
endif()
