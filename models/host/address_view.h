// Where a device finds the memory of a process.
#pragma once

#include "base/types.h"

namespace svasim {

class AddressView {
 public:
  virtual ~AddressView() = default;
  // What the device calls the address `user` of the process, mapped or not.
  virtual Addr device_address(Addr user) const = 0;
};

}  // namespace svasim
