# SPDX-License-Identifier: Apache-2.0

# source_lines(FILE OUT): the lines of a file as a list, so that the index of a line is its number
# minus one. Characters with a meaning in CMake lists (; [ ] \) are replaced by spaces.
function(source_lines file out)
  file(READ ${file} text)
  string(REGEX REPLACE "[][;\\]" " " text "${text}")
  string(REPLACE "\n" ";" lines "${text}")
  set(${out} "${lines}" PARENT_SCOPE)
endfunction()
