#pragma once

#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "model/sample.h"

namespace pipit {

/// Leaves numbers that a vector grows by as they are: what is decoded over them would otherwise be written twice.
template <class T>
class UninitializedAllocator : public std::allocator<T> {
 public:
  template <class U>
  struct rebind {
    using other = UninitializedAllocator<U>;
  };
  template <class U>
  void construct(U* at) {
    ::new (static_cast<void*>(at)) U;
  }
  template <class U, class... Args>
  void construct(U* at, Args&&... args) {
    ::new (static_cast<void*>(at)) U(std::forward<Args>(args)...);
  }
};

/// The times and values of samples, one after another. `resize(n)` leaves what it adds unset.
using TimeColumn = std::vector<TimestampMs, UninitializedAllocator<TimestampMs>>;
using ValueColumn = std::vector<double, UninitializedAllocator<double>>;

}  // namespace pipit
