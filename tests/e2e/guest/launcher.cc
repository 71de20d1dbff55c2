// SPDX-License-Identifier: Apache-2.0
//
// Runs the Python stand-in that has this program's name, inside this process: what looks at the
// process sees the name, the executable and the arguments of the program it stands for.
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include <dlfcn.h>

namespace {

constexpr const char* kPython = "libpython3.11.so.1.0";
constexpr const char* kFolder = "/opt/e2e/guest/";
constexpr int kNotFound = 127;

/// Source: Python 3.11 Include/pylifecycle.h.
using PyBytesMain = int (*)(int argc, char** argv);

PyBytesMain load_python() {
  void* library = dlopen(kPython, RTLD_NOW | RTLD_GLOBAL);
  return library == nullptr ? nullptr
                            : reinterpret_cast<PyBytesMain>(dlsym(library, "Py_BytesMain"));
}

}  // namespace

int main(int argc, char** argv) {
  const PyBytesMain run = load_python();
  if (run == nullptr) {
    std::cerr << "launcher: libpython3.11 is not installed\n";
    return kNotFound;
  }
  std::vector<std::string> arguments(argv, argv + argc);
  std::string name = std::filesystem::path{arguments.front()}.filename();
  arguments.front() = "/usr/bin/python3";  // where it looks for its own library
  arguments.insert(arguments.begin() + 1, kFolder + name + ".py");
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) {
    pointers.push_back(argument.data());
  }
  const int count = static_cast<int>(pointers.size());
  pointers.push_back(nullptr);
  return run(count, pointers.data());
}
