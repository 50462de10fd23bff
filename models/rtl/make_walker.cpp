#include "models/rtl/make_walker.h"

#include <filesystem>

#include "base/check.h"
#include "models/walker/walker.h"
#ifdef SVASIM_WITH_RTL
#include "models/rtl/lockstep_walker.h"
#include "models/rtl/rtl_walker.h"
#endif

namespace svasim {

namespace {

using Make = std::unique_ptr<Walker> (*)(const char* name, const WalkerParams& params, SimContext& context,
                                         unsigned requesters);

struct Kind {
  const char* name;
  Make make;
};

std::unique_ptr<Walker> make_tlm(const char* name, const WalkerParams& params, SimContext& context,
                                 unsigned requesters) {
  return std::make_unique<PageTableWalker>(name, params, context, requesters);
}

#ifdef SVASIM_WITH_RTL
template <typename T>
std::unique_ptr<Walker> make_with_waves(const char* name, const WalkerParams& params, SimContext& context,
                                        unsigned requesters) {
  std::string waves_file;
  if (params.waves) waves_file = (std::filesystem::path(context.output) / name).string() + ".fst";
  return std::make_unique<T>(name, params, context, requesters, waves_file);
}
#endif

constexpr Kind kKinds[] = {
    {"tlm", make_tlm},
#ifdef SVASIM_WITH_RTL
    {"rtl", make_with_waves<RtlWalker>},
    {"lockstep", make_with_waves<LockstepWalker>},
#endif
};

const Kind* find(const std::string& name) {
  for (const Kind& kind : kKinds) {
    if (name == kind.name) return &kind;
  }
  return nullptr;
}

}  // namespace

bool has_walker_kind(const std::string& kind) { return find(kind) != nullptr; }

std::unique_ptr<Walker> make_walker(const std::string& name, const WalkerParams& params, SimContext& context,
                                    unsigned requesters) {
  const Kind* kind = find(params.kind);
  SVASIM_CHECK(kind != nullptr, "no walker of kind " + params.kind + " in this build");
  return kind->make(name.c_str(), params, context, requesters);
}

}  // namespace svasim
