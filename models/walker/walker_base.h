// What every kind of walker looks like to the system it is built into.
#pragma once

#include <string>
#include <systemc>
#include <utility>
#include <vector>

#include "models/walker/walker_if.h"
#include "models/walker/walker_stats.h"
#include "tlm/inspect.h"
#include "tlm/sockets.h"
#include "tlm/wake.h"

namespace svasim {

class Walker : public sc_core::sc_module, public Inspectable {
 public:
  explicit Walker(sc_core::sc_module_name name) : sc_core::sc_module(name) {}

  // Sockets of the requesters by number; every one has to be bound.
  virtual TargetSocket<WalkProtocol>& requester(unsigned number) = 0;
  virtual InitiatorSocket<>& memory_socket() = 0;
  virtual const WalkerStats& stats() const = 0;
  virtual const Wake& wake() const = 0;

  // Figures that have to be zero at the end of a run, by name.
  virtual std::vector<std::pair<const char*, std::uint64_t>> must_be_zero() const { return {}; }
  // What a reader of the results should know about them, one line each.
  virtual std::vector<std::string> notes() const { return {}; }
};

}  // namespace svasim
