// An address space as the kernel sees it: memory, PASID, who holds it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "models/host/process_memory.h"

namespace svasim {

// SPEC: [LINUX include/linux/mm_types.h]: its memory lives as long as its process, it itself, and so its
// PASID, as long as anybody holds it.
struct SvaSpace {
  SvaSpace(std::string name, const PageTableFormat& format, PhysicalMemory& bytes, PageAllocator& pages,
           PageTable::Owner owner = PageTable::Owner::kUser)
      : memory(std::move(name), format, bytes, pages, owner), kernel(owner == PageTable::Owner::kKernel) {}

  ProcessMemory memory;
  // The kernel's: its pages are always there, devices need privilege, and nobody notifies them of changes.
  // SPEC: [LINUX 6.1 include/linux/intel-svm.h, intel_svm_bind_mm]: SVM_FLAG_SUPERVISOR_MODE registers no
  // notifier; drivers are told to use the static mapping alone.
  bool kernel;
  std::optional<Pasid> pasid;
  bool alive = true;  // false: its process has exited; faults are refused
  // SPEC: [LINUX arch_pgtable_dma_compat]: false with pointers whose upper bits are tags.
  bool dma_compatible = true;
  unsigned holders = 1;  // the process, and every domain
};

}  // namespace svasim
