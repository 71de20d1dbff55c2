// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

namespace eviction {

/// Calls Free on what a C library has given out.
template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

/// An object of a C library, freed at the end.
template <class T, auto Free>
using Owned = std::unique_ptr<T, Freer<Free>>;

}  // namespace eviction
