#include "models/host/iommufd_stats.h"

namespace svasim {

void IommufdStats::describe(StatRegistry& registry, const std::string& prefix) const {
  const auto count = [&](const char* name, const Counter& counter, const char* text) {
    registry.counter(prefix + "." + name, &counter, StatUnit::kCount, StatKind::kTiming, text);
  };
  count("iommufd.maps", maps, "Areas mapped into I/O address spaces.");
  count("iommufd.unmaps", unmaps, "Areas unmapped from them.");
  count("iommufd.pages_pinned", pages_pinned, "Pages pinned by mapping them.");
  count("iommufd.pages_unpinned", pages_unpinned, "Pages no longer pinned.");
  count("iommufd.attaches", attaches, "PASIDs of devices attached, or attached to something else.");
  count("iommufd.detaches", detaches, "PASIDs of devices detached.");
  count("iommufd.fault_groups", groups_delivered, "Page request groups put into fault queues.");
  count("iommufd.fault_groups_read", groups_read, "Groups that user space has read.");
  count("iommufd.fault_groups_answered", groups_answered, "Groups that user space has answered.");
  count("iommufd.fault_groups_discarded", groups_discarded,
        "Groups answered Invalid Request because their PASID was detached.");
  registry.histogram(prefix + ".iommufd.answer_latency", &answer_latency, StatUnit::kPs, StatKind::kTiming,
                     "From a group entering a fault queue to the answer of user space.");
  count("vfio.fault_ins", fault_ins, "Faults for a page of a BAR that was pinned and had no entry.");
  count("vfio.lock_drops", lock_drops,
        "Times pinning had to look its area up again because the fault had dropped the lock.");
  count("vfio.zapped", zapped, "Of these, the entry had been taken away again.");
  count("vfio.zaps", zaps, "Areas of processes whose entries were taken away because their BAR went.");
  count("vfio.revoked", revoked, "Areas of I/O address spaces taken away because their BAR went.");
}

}  // namespace svasim
