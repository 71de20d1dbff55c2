# SPDX-License-Identifier: Apache-2.0
#
# cmake -D PROMTOOL=FILE -D ALERTS=FILE -D CASES=FILE -D SCRATCH=DIR -P alerts_test.cmake: Prometheus'
# own check and unit tests of the alerts. The cases compare every annotation; the runbooks, which
# have nothing to expand, are taken out so that they need not be written twice.
function(run)
  execute_process(COMMAND ${ARGV} OUTPUT_VARIABLE said ERROR_VARIABLE said RESULT_VARIABLE code)
  if(NOT code EQUAL 0)
    message(FATAL_ERROR "${said}")
  endif()
endfunction()

run(${PROMTOOL} check rules --lint-fatal ${ALERTS})

file(READ ${ALERTS} alerts)
string(REGEX REPLACE "\n          runbook: >-(\n            [^\n]+)+" "" alerts "${alerts}")
if(alerts MATCHES "runbook:")
  message(FATAL_ERROR "${ALERTS}: a runbook is not a folded text of the usual indent")
endif()
file(MAKE_DIRECTORY ${SCRATCH})
file(WRITE ${SCRATCH}/alerts.yaml "${alerts}")
configure_file(${CASES} ${SCRATCH}/cases.yaml COPYONLY)
run(${PROMTOOL} test rules ${SCRATCH}/cases.yaml)
