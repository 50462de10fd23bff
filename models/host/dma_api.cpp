#include "models/host/dma_api.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace svasim {

namespace {

constexpr Addr k32Bits = Addr{1} << 32U;
// SPEC: [VTD 3.15]: requests there are interrupts, whatever the tables say.
constexpr Addr kInterrupts = 0xFEE0'0000;
constexpr Addr kInterruptsEnd = 0xFEF0'0000;

}  // namespace

DmaApi::DmaApi(Mode mode, const DmaParams& params, DomainId id, const PageTableFormat& format,
               unsigned input_bits, Machine& machine, PageAllocator& pages, HostStats& stats)
    : mode_(mode),
      params_(params),
      machine_(machine),
      stats_(stats),
      format_(format),
      addresses_(Addr{1} << std::min({params.address_bits, input_bits, unsigned{format.input_bits}})),
      first_choice_(k32Bits),
      flush_queue_(
          machine, params.flush_entries, params.flush_timeout,
          [this](Task done) {
            stats_.dma_flushes.add();
            domain_->invalidate(kEverywhere, std::move(done));
          },
          [this](Addr iova) { addresses_.free(iova); }) {
  addresses_.reserve(kInterrupts, kInterruptsEnd);
  if (!passes()) domain_ = std::make_unique<IoDomain>(id, format_, machine.memory(), pages);
}

IoTranslation DmaApi::translation() const {
  if (!passes()) return domain_->translation();
  IoTranslation translation;
  translation.kind = IoTranslation::Kind::kPassThrough;
  translation.second_levels = format_.levels;
  return translation;
}

void DmaApi::attach(IommuDriver& iommu, IoTarget target, Task done) {
  SVASIM_CHECK(iommu_ == nullptr, "one device is attached to a domain of the DMA API");
  iommu_ = &iommu;
  target_ = target;
  if (passes()) {
    iommu.bind(target.device, target.pasid, translation(), std::move(done));
  } else {
    domain_->attach(iommu, target, std::move(done));
  }
}

void DmaApi::detach(Task done) {
  IommuDriver& iommu = *iommu_;
  iommu_ = nullptr;
  if (passes()) {
    iommu.unbind(target_.device, target_.pasid, std::move(done));
    return;
  }
  domain_->detach(target_, [this, done = std::move(done)] {
    flush_queue_.flushed();
    done();
  });
}

void DmaApi::map(std::vector<Addr> pages, bool writable, Mapped done) {
  const Ps time = passes() ? 1 : params_.map_time + pages.size() * params_.map_page_time;
  machine_.after(time, [this, pages = std::move(pages), writable, done = std::move(done)] {
    Addr iova = 0;
    const Errno error = map_now(pages, writable, iova);
    (error == Errno::kNone ? stats_.dma_maps : stats_.dma_maps_failed).add();
    done(error, iova);
  });
}

// SPEC: [LINUX drivers/iommu/dma-iommu.c iommu_dma_alloc_iova]: 32-bit addresses until there is no room once.
std::optional<Addr> DmaApi::allocate(std::uint64_t bytes) {
  const auto start = addresses_.allocate(bytes, first_choice_);
  if (start.has_value() || first_choice_ != k32Bits) return start;
  first_choice_ = ~Addr{0};
  return addresses_.allocate(bytes, first_choice_);
}

Errno DmaApi::map_now(const std::vector<Addr>& pages, bool writable, Addr& iova) {
  // The run of adjacent pages that begins with this one.
  const auto run = [&pages](std::size_t first) {
    std::size_t end = first + 1;
    while (end < pages.size() && pages[end] == pages[end - 1] + kPageSize) ++end;
    return end - first;
  };
  if (passes()) {
    iova = pages.front();
    return run(0) == pages.size() ? Errno::kNone : Errno::kInvalid;
  }
  const auto start = allocate(pages.size() * kPageSize);
  if (!start.has_value()) return Errno::kNoSpace;
  iova = *start;
  for (std::size_t i = 0; i < pages.size();) {
    const std::size_t count = run(i);
    const Errno error = domain_->map(iova + i * kPageSize, pages[i], count * kPageSize, writable);
    if (error != Errno::kNone) {
      // WHY no invalidation: what no device has been told cannot be cached.
      IoDomain::Removed removed;
      SVASIM_CHECK(i == 0 || domain_->unmap(iova, i * kPageSize, removed), "mapped pages can be unmapped");
      addresses_.free(iova);
      return error;
    }
    i += count;
  }
  return Errno::kNone;
}

void DmaApi::unmap(Addr iova, std::uint64_t bytes, Task done) {
  const Ps called = machine_.now();
  const Ps time = passes() ? 1 : params_.unmap_time + bytes / kPageSize * params_.unmap_page_time;
  machine_.after(time, [this, iova, bytes, called, done = std::move(done)] {
    unmap_now(iova, bytes, [this, called, done] {
      stats_.dma_unmaps.add();
      stats_.dma_unmap_latency.record(machine_.now() - called);
      done();
    });
  });
}

void DmaApi::unmap_now(Addr iova, std::uint64_t bytes, Task done) {
  if (passes()) return done();
  IoDomain::Removed removed;
  SVASIM_CHECK(domain_->unmap(iova, bytes, removed), "a mapping is unmapped as a whole");
  if (mode_ == Mode::kDeferred) {
    flush_queue_.add(iova, std::move(done));
    return;
  }
  domain_->invalidate(removed.span, [this, iova, done = std::move(done)] {
    addresses_.free(iova);
    done();
  });
}

void DmaApi::release() {
  if (domain_ != nullptr) domain_->release();
}

}  // namespace svasim
