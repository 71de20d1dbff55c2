// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <string>
#include <utility>

namespace eviction::tests {

/// Sets a variable of the environment; it is unset at the end. For a program of one thread.
class EnvironmentVariable {
 public:
  EnvironmentVariable(std::string name, const std::string& value) : name_{std::move(name)} {
    ::setenv(name_.c_str(), value.c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
  }

  ~EnvironmentVariable() {
    ::unsetenv(name_.c_str());  // NOLINT(concurrency-mt-unsafe)
  }

  EnvironmentVariable(const EnvironmentVariable&) = delete;
  EnvironmentVariable& operator=(const EnvironmentVariable&) = delete;
  EnvironmentVariable(EnvironmentVariable&&) = delete;
  EnvironmentVariable& operator=(EnvironmentVariable&&) = delete;

 private:
  std::string name_;
};

}  // namespace eviction::tests
