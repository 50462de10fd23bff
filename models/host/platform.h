// What firmware tells the operating system: where the hardware is.
#pragma once

#include <string>
#include <vector>

#include "base/types.h"

namespace svasim {

struct Platform {
  struct Iommu {
    std::string name;
    Addr registers = 0;
  };
  struct Dsa {
    std::string name;
    RequesterId requester;
    Addr bar0 = 0;
    Addr bar2 = 0;
    unsigned iommu = 0;  // index of the IOMMU it is behind
    bool ats = true;     // it has an ATC
    bool page_requests = true;
  };
  std::vector<Iommu> iommus;
  std::vector<Dsa> devices;
};

}  // namespace svasim
