# SPDX-License-Identifier: Apache-2.0
#
# cmake -D ROOT=DIR -P layering_test.cmake: fails when an include runs against the layers, and names
# each offence as FILE:LINE.
include(${CMAKE_CURRENT_LIST_DIR}/source_lines.cmake)

# What the files of each folder may include of ours.
set(cgroup_may "^cgroup/[a-z0-9_/]+[.]h$")
set(config_may "^(config/[a-z0-9_/]+|cgroup/(result|bytes|directory|descriptor|write_all))[.]h$")
set(systemd_may "^(systemd/[a-z0-9_/]+|cgroup/(result|owned|descriptor|write_all))[.]h$")
set(agent_may "^(agent|cgroup|config|systemd)/[a-z0-9_/]+[.]h$")
set(tests_may "^(agent|cgroup|config|systemd|tests)/[a-z0-9_/]+[.]h$")

set(offences "")
foreach(folder cgroup config systemd agent tests)
  file(GLOB_RECURSE files RELATIVE ${ROOT} ${ROOT}/${folder}/*.h ${ROOT}/${folder}/*.cc)
  foreach(file IN LISTS files)
    source_lines(${ROOT}/${file} lines)
    set(number 0)
    foreach(line IN LISTS lines)
      math(EXPR number "${number} + 1")
      if(NOT line MATCHES "^[ \t]*#[ \t]*include[ \t]*([\"<])([^\">]*)")
        continue()
      endif()
      set(quote ${CMAKE_MATCH_1})
      set(included ${CMAKE_MATCH_2})
      if(quote STREQUAL "<" AND EXISTS ${ROOT}/${included})
        string(APPEND offences "${file}:${number}: write \"${included}\", not <${included}>\n")
      elseif(quote STREQUAL "\"" AND NOT included MATCHES "${${folder}_may}")
        string(APPEND offences "${file}:${number}: ${folder}/ may not include \"${included}\"\n")
      endif()
    endforeach()
  endforeach()
endforeach()

if(offences)
  message(NOTICE "${offences}")
  message(FATAL_ERROR "Includes against the layers, see above and the list in tests/layering_test.cmake")
endif()
