// What a device was given by translation completions, and when it has to stop using it.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "models/formats/ats_messages.h"
#include "tlm/pcie_protocol.h"

namespace svasim {

// The book-keeping of one device. A translation may be used from its completion until the device completes
// an invalidate request that covers it; one that was under way when such a request arrived ends with it too.
// SPEC: [ATS 3.2, 4.1, 4.2]
class AtsGrants {
 public:
  // Whose addresses, as in a PASID prefix.
  struct Space {
    bool has_pasid = false;
    Pasid pasid;
    friend bool operator==(const Space& a, const Space& b) {
      return a.has_pasid == b.has_pasid && (!a.has_pasid || a.pasid == b.pasid);
    }
  };

  // A translation request begins, from the page at `iova` on. `key` names it until it ends.
  void asked(const void* key, const Space& space, Addr iova) { requests_[key] = Request{space, iova, {}}; }
  // Its completion gave these, one behind the other; false: no such request.
  bool answered(const void* key, const std::vector<Translation>& translations);

  // An invalidate request with this ITag is on its way to the device.
  void invalidate(unsigned itag, std::uint64_t body, const Space& space);
  // The device completed those of the bits, or they were given up.
  void completed(std::uint32_t itags);

  // Whether the device holds a translation to this address with the right.
  bool allows(Addr address, bool write) const;

 private:
  struct Scope {
    Space space;
    bool all_pasids = false;
    DecodedRange range;
    bool covers(const Space& other, Addr iova, unsigned shift) const;
  };
  struct Overtaking {
    Scope scope;
    std::uint32_t itags = 0;  // 0: completed already
  };
  struct Request {
    Space space;
    Addr iova = 0;
    std::vector<Overtaking> overtaken;
  };
  struct Grant {
    Space space;
    Addr iova = 0;
    std::uint8_t shift = 12;
    bool read = false;
    bool write = false;
    std::uint32_t doomed = 0;  // ITags whose completion ends it
  };

  void add(const Request& request, Addr iova, const Translation& translation);

  std::multimap<Addr, Grant> grants_;  // by physical page address
  std::uint64_t shifts_ = 0;           // page sizes ever given
  std::map<const void*, Request> requests_;
};

}  // namespace svasim
