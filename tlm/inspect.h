// What run control asks of every module that holds requests.
#pragma once

#include <cstdint>
#include <ostream>

namespace svasim {

class Inspectable {
 public:
  virtual ~Inspectable() = default;
  // Requests, messages or walks the module holds now. A run that ends with any is an error.
  virtual std::uint64_t in_flight() const = 0;
  // One line per held request: what it is and what it waits for.
  virtual void dump_in_flight(std::ostream& out) const = 0;
};

}  // namespace svasim
