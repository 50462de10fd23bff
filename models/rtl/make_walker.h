// Walkers by the `kind` of their parameters.
#pragma once

#include <memory>
#include <string>

#include "models/walker/walker_base.h"
#include "models/walker/walker_params.h"
#include "tlm/context.h"

namespace svasim {

// Whether this program can make walkers of that kind: rtl and lockstep need SVASIM_BUILD_RTL.
bool has_walker_kind(const std::string& kind);

// By params.kind: tlm, rtl or lockstep. With params.waves an RTL walker writes its waves to NAME.fst in
// the context's output folder. During elaboration only.
std::unique_ptr<Walker> make_walker(const std::string& name, const WalkerParams& params, SimContext& context,
                                    unsigned requesters = 1);

}  // namespace svasim
