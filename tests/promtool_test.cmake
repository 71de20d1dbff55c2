# SPDX-License-Identifier: Apache-2.0
#
# cmake -D PROMTOOL=FILE -D GOLDEN=DIR -P promtool_test.cmake: Prometheus' own check of every
# /metrics in tests/golden; fails on any complaint.
file(GLOB pages ${GOLDEN}/*.metrics.txt)
list(LENGTH pages count)
if(count LESS 7)
  message(FATAL_ERROR "only ${count} files ${GOLDEN}/*.metrics.txt")
endif()
foreach(page IN LISTS pages)
  execute_process(COMMAND ${PROMTOOL} check metrics
    INPUT_FILE ${page} OUTPUT_VARIABLE said ERROR_VARIABLE said RESULT_VARIABLE code)
  if(NOT code EQUAL 0 OR said)
    message(FATAL_ERROR "${page}: ${said}")
  endif()
endforeach()
