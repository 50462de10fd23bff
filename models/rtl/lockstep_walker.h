// The TLM walker with the RTL walker checking it.
#pragma once

#include "models/rtl/lockstep_checker.h"
#include "models/walker/walker.h"

namespace svasim {

// Results and timing are the TLM walker's; every walk of a format the RTL covers is compared.
class LockstepWalker : public PageTableWalker {
 public:
  LockstepWalker(sc_core::sc_module_name name, const WalkerParams& params, SimContext& context,
                 unsigned requesters = 1, const std::string& waves_file = "")
      : PageTableWalker(name, params, context, requesters),
        checker_(this->name(), params.slots, params.clock, waves_file) {
    checker_.describe(context.stats);
    set_observer(&checker_);
  }

  const LockstepChecker& checker() const { return checker_; }
  std::vector<std::pair<const char*, std::uint64_t>> must_be_zero() const override {
    return {{"lockstep_mismatches", checker_.stats().mismatches.value}};
  }
  std::vector<std::string> notes() const override { return checker_.mismatches(); }

 private:
  LockstepChecker checker_;
};

}  // namespace svasim
