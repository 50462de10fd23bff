#include "perf/dma_system.h"

#include <cstring>

#include "base/check.h"
#include "models/formats/vtd_registers.h"
#include "models/reference/page_table_builder.h"
#include "models/reference/remapping_tables.h"
#include "support/sparse_view.h"

namespace svasim::perf {

namespace {

constexpr Addr kRegisters = 0xFED9'0000;
constexpr Addr kTables = 0x1000'0000;
constexpr Addr kGuestTableBytes = 0x10'0000;
constexpr Addr kHostTables = 0x2000'0000;
constexpr Addr kData = 0x1'0000'0000;
constexpr Addr kIova = 0x7F00'0000'0000;
const RequesterId kDevice = RequesterId::from_bdf(0, 2, 0);

}  // namespace

DmaSystem::DmaSystem(const DmaSystemSetup& setup) : setup_(setup), context_{1, setup.timing, pool_, stats_} {
  const auto named = [&](const char* part) { return setup.name + "_" + part; };
  TrafficParams traffic = traffic_params().defaults();
  traffic.bdf = kDevice;
  traffic.base = kIova;
  traffic.range = setup.pages * kPageSize;
  traffic.count = setup.accesses;
  traffic.outstanding = 32;
  traffic.verify = "address";
  traffic.start = false;
  traffic_ = std::make_unique<TrafficGenerator>(named("device").c_str(), traffic, context_);
  link_ = std::make_unique<PcieLink>(named("link").c_str(), link_params().defaults(), context_);
  IommuParams iommu = iommu_params().defaults();
  iommu.capabilities.page_requests = false;
  iommu.iotlb.entries = 128;
  iommu.iotlb.ways = 4;
  iommu.iotlb.enable = setup.iotlb;
  iommu.first_stage_cache.enable = setup.paging_structure_caches;
  iommu.second_stage_cache.enable = setup.paging_structure_caches;
  iommu_ = std::make_unique<Iommu>(named("iommu").c_str(), iommu, context_);
  WalkerParams walker = walker_params().defaults();
  walker.slots = setup.walker_slots;
  walker_ = std::make_unique<PageTableWalker>(named("walker").c_str(), walker, context_);
  bus_ = std::make_unique<MemoryBus>(named("bus").c_str(), memory_bus_params().defaults(), context_, 4, 2);
  const MemoryParams memory = memory_params().defaults();
  memory_ = std::make_unique<Memory>(named("memory").c_str(), memory, context_);
  cpu_ = std::make_unique<test::MemoryInitiator>(named("cpu").c_str(), pool_);
  unused_ = std::make_unique<test::MemoryInitiator>(named("unused").c_str(), pool_);

  traffic_->req().bind(link_->up_in());
  link_->down_out().bind(traffic_->msg());
  link_->up_out().bind(iommu_->requests(0));
  iommu_->messages(0).bind(link_->down_in());
  unused_->socket().bind(link_->mmio_in());
  iommu_->add_device(0, kDevice);
  iommu_->walk_socket().bind(walker_->requester(0));
  iommu_->data_socket().bind(bus_->initiator(0));
  iommu_->structure_socket().bind(bus_->initiator(1));
  walker_->memory_socket().bind(bus_->initiator(2));
  cpu_->socket().bind(bus_->initiator(3));
  bus_->target(0).bind(memory_->socket());
  bus_->target(1).bind(iommu_->register_socket());
  bus_->map(1, "registers", kRegisters, kPageSize);
  bus_->map(0, "memory", 0, kRegisters);
  bus_->map(0, "memory above", kData, memory.size - kData);
}

void DmaSystem::write_register(unsigned offset, std::uint64_t value, unsigned bytes) {
  std::vector<unsigned char> data(bytes);
  std::memcpy(data.data(), &value, bytes);
  if (context_.loose()) {
    cpu_->write_now(kRegisters + offset, data);
  } else {
    cpu_->write(kRegisters + offset, data);
  }
  sc_core::sc_start(10, sc_core::SC_US);
}

void DmaSystem::enable() {
  test::SparseView view(memory_->contents());
  TablePages pages(kTables, kRegisters);
  PageTableBuilder table(view, nullptr, pages, TableStage::kFirst, 4);
  for (std::uint64_t i = 0; i < setup_.pages; ++i) {
    LeafRights rights;
    rights.extra = 0x60;  // A and D are set already
    SVASIM_CHECK(table.map(kIova + i * kPageSize, kData + i * kPageSize, 12, rights),
                 "a page is mapped once");
    for (Addr offset = 0; offset < kPageSize; offset += 8) {
      memory_->contents().write64(kData + i * kPageSize + offset, word_at(kIova + i * kPageSize + offset));
    }
  }
  RemappingTables remapping(view, nullptr, pages, true);
  remapping.set_context(kDevice, ScalableContext());
  if (setup_.nested) {
    TablePages host_pages(kHostTables, kRegisters);
    PageTableBuilder host(view, nullptr, host_pages, TableStage::kSecond, 4);
    // Guest-physical addresses are the host's: the tables' and the data's.
    const bool mapped = host.map_range(kTables, kTables, kGuestTableBytes) &&
                        host.map_range(kData, kData, setup_.pages * kPageSize);
    SVASIM_CHECK(mapped, "a page is mapped once");
    remapping.set_pasid_entry(kDevice, Pasid(0),
                              nested_pasid_entry(table.root(), 4, host.root(), 4, DomainId(1)));
  } else {
    remapping.set_pasid_entry(kDevice, Pasid(0), first_stage_pasid_entry(table.root(), 4, DomainId(1)));
  }
  write_register(vtd_reg::kRtaddr, remapping.rtaddr(), 8);
  write_register(vtd_reg::kGcmd, 1U << 30U, 4);
  write_register(vtd_reg::kGcmd, 1U << 31U, 4);
}

void DmaSystem::run() {
  const Ps started = now_ps();
  traffic_->restart();
  while (!traffic_->done()) {
    sc_core::sc_start(1, sc_core::SC_MS);
  }
  duration_ = traffic_->finished_at() - started;
  SVASIM_CHECK(traffic_->stats().faults.value == 0, "a benchmark's accesses do not fault");
  SVASIM_CHECK(traffic_->stats().wrong_data.value == 0, "a benchmark's data is right");
}

std::uint64_t DmaSystem::wakeups() const {
  return traffic_->wake().wakeups() + link_->wakeups() + iommu_->wake().wakeups() +
         walker_->wake().wakeups() + memory_->wake().wakeups();
}

}  // namespace svasim::perf
