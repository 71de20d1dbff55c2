# SPDX-License-Identifier: Apache-2.0
#
# cmake -D SCRATCH=DIR -P tree_rules_test.cmake: runs the layering and hygiene tests on small trees
# with one offence each, and on one without any.
cmake_minimum_required(VERSION 3.25)

set(licence "// SPDX-License-Identifier: Apache-2.0\n")

# expect(TEST FILE CONTENT EXPECTED): on a tree of this one file TEST must fail with EXPECTED in its
# message, or pass if EXPECTED is "nothing".
function(expect test file content expected)
  file(REMOVE_RECURSE ${SCRATCH})
  file(WRITE ${SCRATCH}/${file} "${content}")
  file(WRITE ${SCRATCH}/cgroup/angled.h "${licence}")
  execute_process(
    COMMAND ${CMAKE_COMMAND} -D ROOT=${SCRATCH} -P ${CMAKE_CURRENT_LIST_DIR}/${test}_test.cmake
    RESULT_VARIABLE code ERROR_VARIABLE message)
  if(expected STREQUAL "nothing" AND code EQUAL 0)
    return()
  endif()
  string(FIND "${message}" "${expected}" position)
  if(code EQUAL 0 OR position EQUAL -1)
    message(SEND_ERROR "${test} on ${file}: exit ${code}, expected: ${expected}, said: ${message}")
  endif()
endfunction()

function(expect_include file included expected)
  expect(layering ${file} "${licence}int a[];\n#include ${included}\n" "${expected}")
endfunction()

expect_include(cgroup/a.cc "\"cgroup/meminfo.h\"" nothing)
expect_include(cgroup/a.cc "<vector>" nothing)
expect_include(cgroup/a.cc "\"config/drop_in.h\"" "cgroup/a.cc:3: cgroup/ may not include")
expect_include(cgroup/a.cc "\"a.h\"" "cgroup/a.cc:3: cgroup/ may not include")
expect_include(cgroup/a.cc "<cgroup/angled.h>" "cgroup/a.cc:3: write \"cgroup/angled.h\"")
expect_include(config/a.h "\"cgroup/bytes.h\"" nothing)
expect_include(config/a.h "\"cgroup/meminfo.h\"" "config/a.h:3: config/ may not include")
expect_include(config/a.h "\"config/../agent/plan.h\"" "config/a.h:3: config/ may not include")
expect_include(systemd/a.cc "<systemd/sd-event.h>" nothing)
expect_include(systemd/a.cc "\"cgroup/result.h\"" nothing)
expect_include(systemd/a.cc "\"cgroup/bytes.h\"" "systemd/a.cc:3: systemd/ may not include")
expect_include(agent/policy/a.cc "\"systemd/journal.h\"" nothing)
expect_include(agent/policy/a.cc "\"tests/support/tree.h\"" "agent/policy/a.cc:3: agent/ may not")
expect_include(tests/agent/a_test.cc "\"tests/support/tree.h\"" nothing)

# The markers are put together here so that this file does not hold them itself.
string(CONCAT to_do "TO" "DO")
string(CONCAT fix_me "FIX" "ME")
expect(hygiene agent/a.cc "${licence}int a;\n" nothing)
expect(hygiene agent/a.cc "int a;\n" "agent/a.cc: no line")
expect(hygiene agent/a.cc "${licence}int a[2];  // ${to_do}: finish\n" "agent/a.cc:2: finish it")
expect(hygiene agent/a.cc "${licence}\n\\\n;\n// (${fix_me})\n" "agent/a.cc:5: finish it")
expect(hygiene agent/a.cc "${licence}auto a = \"name-XXXXXX\";\n" nothing)
expect(hygiene packaging/start "#!/bin/sh\n" "packaging/start: no line")
expect(hygiene packaging/unit.service "[Unit]\n" nothing)
expect(hygiene tests/fixtures/node/start "#!/bin/sh\n" nothing)
file(REMOVE_RECURSE ${SCRATCH})
