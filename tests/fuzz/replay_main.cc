// SPDX-License-Identifier: Apache-2.0
//
// Runs a fuzz target without libFuzzer: once on the empty input, then on each file given and on
// each file below each directory given.
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void replay_file(const std::filesystem::path& path) {
  std::cout << path.string() << std::endl;  // flushed: after a crash the last line names the input
  std::ifstream stream{path, std::ios::binary};
  if (!stream) {
    throw std::runtime_error{path.string() + ": cannot be read"};
  }
  const std::vector<std::uint8_t> input{std::istreambuf_iterator<char>{stream}, {}};
  LLVMFuzzerTestOneInput(input.data(), input.size());
}

void replay(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) {
    replay_file(path);
    return;
  }
  bool empty = true;
  for (const auto& entry : std::filesystem::recursive_directory_iterator{path}) {
    if (entry.is_regular_file()) {
      replay_file(entry.path());
      empty = false;
    }
  }
  if (empty) {
    throw std::runtime_error{path.string() + ": holds no input"};
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    LLVMFuzzerTestOneInput(nullptr, 0);
    for (const char* argument : std::vector<const char*>{argv + 1, argv + argc}) {
      replay(argument);
    }
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return EXIT_FAILURE;
  }
  return EXIT_SUCCESS;
}
