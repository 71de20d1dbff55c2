# SPDX-License-Identifier: Apache-2.0
#
# cmake -D UNIT=FILE -D SLICE=FILE -D PACKAGING=DIR -D AGENT=FILE -D SCRATCH=DIR -P unit_test.cmake:
# systemd takes the unit files without a remark and rates the service's exposure below 3.0 of 10; the
# service waits for nothing of Kubernetes; and the packages have the folders that it may write to.
cmake_minimum_required(VERSION 3.25)

file(REMOVE_RECURSE ${SCRATCH})
file(MAKE_DIRECTORY ${SCRATCH})
file(READ ${UNIT} text)

# The program is not installed where it is tested.
string(REGEX REPLACE "\nExecStart=[^ ]+" "\nExecStart=${AGENT}" text "${text}")
file(WRITE ${SCRATCH}/eviction-agent.service "${text}")
file(COPY ${SLICE} DESTINATION ${SCRATCH})
execute_process(
  COMMAND systemd-analyze verify --man=no --recursive-errors=one eviction-agent.service evictionagent.slice
  WORKING_DIRECTORY ${SCRATCH} RESULT_VARIABLE code OUTPUT_VARIABLE said ERROR_VARIABLE said)
if(code OR said)
  message(SEND_ERROR "systemd-analyze verify: exit ${code}: ${said}")
endif()

# expect_exposure(FILE BELOW): whether the rating is below 3.0 has to be as given.
function(expect_exposure file below)
  execute_process(
    COMMAND systemd-analyze security --offline=true --threshold=30 --no-pager ${file}
    WORKING_DIRECTORY ${SCRATCH} RESULT_VARIABLE code OUTPUT_VARIABLE said ERROR_VARIABLE said)
  if((code EQUAL 0 AND NOT below) OR (code AND below))
    message(SEND_ERROR "systemd-analyze security: exit ${code}: ${said}")
  endif()
endfunction()
expect_exposure(${SCRATCH}/eviction-agent.service YES)

# Without the capability set the rating has to fail, or the one above shows nothing.
string(REGEX REPLACE "\nCapabilityBoundingSet=[^\n]*" "" weak "${text}")
string(REGEX REPLACE "\nSystemCall[A-Za-z]+=[^\n]*" "" weak "${weak}")
file(WRITE ${SCRATCH}/weak.service "${weak}")
expect_exposure(${SCRATCH}/weak.service NO)

if(text MATCHES "\n((After|Before|Wants|Requires|BindsTo|PartOf)=[^\n]*)")
  message(SEND_ERROR "the unit must not wait for others, nor they for it: ${CMAKE_MATCH_1}")
endif()

# One that appears after the start of the service is read-only to it.
string(REGEX MATCH "\nReadWritePaths=([^\n]+)" found "${text}")
string(REGEX REPLACE " ?-/" ";" folders "${CMAKE_MATCH_1}")
file(STRINGS ${PACKAGING}/debian/eviction-agent.dirs in_deb)
file(STRINGS ${PACKAGING}/rpm/eviction-agent.spec in_rpm REGEX "^%dir ")
list(REMOVE_ITEM folders "")
if(NOT folders)
  message(SEND_ERROR "no ReadWritePaths in ${UNIT}")
endif()
foreach(folder IN LISTS folders)
  if(NOT folder IN_LIST in_deb OR NOT "%dir /${folder}" IN_LIST in_rpm)
    message(SEND_ERROR "/${folder} is not in each package")
  endif()
endforeach()
file(REMOVE_RECURSE ${SCRATCH})
