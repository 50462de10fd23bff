#include "models/rtl/rtl_format.h"

#include "models/formats/page_table_format.h"

namespace svasim {

bool rtl_covers(const WalkRequest& walk) {
  return walk.format->name == "x86-fs4" && walk.nested.format == nullptr;
}

RtlWalkRequest to_rtl_request(const WalkRequest& walk) {
  const PageTableFormat& format = *walk.format;
  RtlWalkRequest rtl;
  rtl.level = static_cast<std::uint8_t>(walk.level);
  rtl.table = walk.table;
  rtl.upper_write = walk.upper_write;
  rtl.upper_user = walk.upper_user;
  rtl.iova = walk.iova;
  rtl.is_write = walk.is_write;
  rtl.user = !walk.privileged;
  rtl.write_protect = walk.write_protect;
  rtl.need_access = walk.need_access;
  rtl.update_ad = walk.update_ad;
  rtl.snooped = walk.snooped;
  // WHY: from the format, not from the request's copies: the format is what the TLM walker obeys.
  rtl.extended_access = format.extended_accessed != 0;
  rtl.one_gib_pages = format.level[3].may_be_leaf;
  rtl.host_address_width = static_cast<std::uint8_t>(64 - __builtin_clzll(format.table_address));
  return rtl;
}

WalkResult to_walk_result(const WalkRequest& walk, const RtlWalkResult& rtl) {
  WalkResult result;
  result.fault = static_cast<FaultReason>(rtl.fault);
  result.page = rtl.page;
  result.page_shift = rtl.page_shift;
  result.read = walk.upper_read;  // a first stage restricts no reads
  result.write = rtl.write;
  result.user = rtl.user;
  result.dirty = rtl.dirty;
  result.fault_level = result.fault == FaultReason::kNone ? std::uint8_t{0} : rtl.level;
  result.reads = rtl.reads;
  result.updates = rtl.updates;
  result.steps = rtl.steps;
  for (unsigned i = 0; i < rtl.steps && i < result.step.size(); ++i) {
    const RtlWalkResult::Step& step = rtl.step[i];
    result.step[i] = {step.table, step.level, walk.upper_read, step.write, step.user, true};
  }
  return result;
}

}  // namespace svasim
