// What a walker does, told to somebody who checks it.
#pragma once

#include "models/walker/walker_if.h"

namespace svasim {

// One answered memory access of a walk.
struct WalkAccess {
  bool update = false;  // a compare-and-swap from `expected` to `desired`; else a read
  Addr address = 0;
  std::uint64_t expected = 0;
  std::uint64_t desired = 0;
  bool ok = false;          // memory could do it
  std::uint64_t value = 0;  // the entry as memory held it
  Ps left = 0;              // when the access left the walker
  Ps answered = 0;          // when its answer was there
};

// Calls of one slot come in the order of its walk; slots interleave.
class WalkObserver {
 public:
  virtual ~WalkObserver() = default;
  virtual void walk_started(unsigned slot, const WalkRequest& request, Ps when) = 0;
  virtual void walk_accessed(unsigned slot, const WalkAccess& access) = 0;
  virtual void walk_finished(unsigned slot, const WalkResult& result, Ps when) = 0;
};

}  // namespace svasim
