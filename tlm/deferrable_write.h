// Deferrable Memory Write: what ENQCMD sends. SPEC: [PCIE 2.2.9, DSA 3.3]
#pragma once

#include <tlm>

namespace svasim {

// On the payload of a write whose target may refuse it for now. The target says so in its response; a target
// that does not know such writes leaves it refused. The payload's sender owns it and takes it off again.
class DeferrableWrite : public tlm::tlm_extension<DeferrableWrite> {
 public:
  bool accepted = false;  // otherwise the answer is Retry

  tlm::tlm_extension_base* clone() const override { return new DeferrableWrite(*this); }
  void copy_from(const tlm::tlm_extension_base& other) override {
    *this = static_cast<const DeferrableWrite&>(other);
  }
};

}  // namespace svasim
