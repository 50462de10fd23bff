#include "sim/stale_use_list.h"

#include <fmt/format.h>

namespace svasim {
namespace {

using Json = nlohmann::json;

Json hex(Addr address) { return fmt::format("{:#x}", address); }

Json optional_time(Ps time) { return time == kNever ? Json() : Json(time); }

Json item(const StaleUse& found) {
  const TranslationUse& use = found.use;
  return {{"time_ps", use.time},
          {"user", found.user},
          {"requester", to_string(use.requester)},
          {"pasid", use.has_pasid ? Json(use.pasid.value()) : Json()},
          {"privileged", use.privileged},
          {"access", use.answer  ? "translation"
                     : use.write ? (use.read ? "atomic" : "write")
                                 : "read"},
          {"iova", hex(use.iova)},
          {"address", hex(use.address)},
          {"page_bytes", std::uint64_t{1} << use.page_shift},
          {"source", to_string(use.origin)},
          {"tables", found.tables},
          {"invalidation", found.invalidation()},
          {"first_stale_ps", found.first},
          {"agreed_until_ps", optional_time(found.agreed)},
          {"reused_by", found.reused ? Json(to_string(found.owner)) : Json()},
          {"text", found.sentence()}};
}

Json items(const std::vector<StaleUse>& list) {
  Json all = Json::array();
  for (const StaleUse& found : list) all.push_back(item(found));
  return all;
}

}  // namespace

Json stale_use_list(const StaleUseDetector& detector) {
  return {{"errors", items(detector.errors())}, {"exposed", items(detector.exposed())}};
}

}  // namespace svasim
