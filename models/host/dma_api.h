// The DMA API of one domain: pages get addresses that its devices may use, until they are unmapped.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "models/formats/page_table_format.h"
#include "models/host/dma_params.h"
#include "models/host/flush_queue.h"
#include "models/host/host_stats.h"
#include "models/host/io_domain.h"
#include "models/host/iova_allocator.h"

namespace svasim {

// SPEC: [LINUX drivers/iommu/dma-iommu.c iommu_dma_map_page, iommu_dma_unmap_page]
// MODEL: what a device may write it may also read.
class DmaApi {
 public:
  using Task = Machine::Task;
  using Mapped = std::function<void(Errno error, Addr iova)>;
  enum class Mode : std::uint8_t { kStrict, kDeferred, kPassThrough };

  // input_bits: width of the IOMMU's addresses.
  DmaApi(Mode mode, const DmaParams& params, DomainId id, const PageTableFormat& format, unsigned input_bits,
         Machine& machine, PageAllocator& pages, HostStats& stats);

  IoTranslation translation() const;
  // Translates the device's requests with this PASID (kNoPasid: without one) by the domain.
  void attach(IommuDriver& iommu, IoTarget target, Task done);
  // Afterwards nothing of the domain is cached for it. One device is attached at a time.
  void detach(Task done);

  // Pages of 4 KiB become adjacent for the device. kNoSpace: no room for their addresses; kNoMemory: none
  // for tables; kInvalid: passed through, but not adjacent in memory.
  void map(std::vector<Addr> pages, bool writable, Mapped done);
  // `done` when its caller may use the pages for something else: strict, when no device can reach them.
  void unmap(Addr iova, std::uint64_t bytes, Task done);

  // Gives the tables back.
  void release();

 private:
  std::optional<Addr> allocate(std::uint64_t bytes);
  Errno map_now(const std::vector<Addr>& pages, bool writable, Addr& iova);
  void unmap_now(Addr iova, std::uint64_t bytes, Task done);
  bool passes() const { return mode_ == Mode::kPassThrough; }

  Mode mode_;
  DmaParams params_;
  Machine& machine_;
  HostStats& stats_;
  PageTableFormat format_;
  std::unique_ptr<IoDomain> domain_;  // none with pass-through
  IovaAllocator addresses_;
  Addr first_choice_;  // where addresses end that are tried first
  FlushQueue flush_queue_;
  IommuDriver* iommu_ = nullptr;
  IoTarget target_;
};

}  // namespace svasim
