// Objects of iommufd: rules of each call, and every order in which they can end.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "base/rng.h"
#include "models/formats/vtd_second_stage.h"
#include "models/host/iommufd.h"
#include "support/step_machine.h"
#include "unit/host_memory_support.h"

namespace svasim {
namespace {

constexpr Pasid kPasid{3};

// Knows who has which device and what is attached, and takes time.
class FakeHardware : public IommufdHardware {
 public:
  explicit FakeHardware(Machine& machine) : machine_(machine) {}

  Errno claim(unsigned device, std::uint64_t owner) override {
    if (owners.count(device) != 0) return Errno::kBusy;
    owners[device] = owner;
    return Errno::kNone;
  }
  void give_back(unsigned device, Task done) override {
    for (const auto& [where, domain] : attached) EXPECT_NE(where.first, device) << "given back attached";
    machine_.after(5, [this, device, done = std::move(done)] {
      EXPECT_EQ(owners.erase(device), 1U);
      done();
    });
  }
  bool has_second_stage(unsigned device) const override { return device != kOld; }
  bool has_page_requests(unsigned device) const override { return device != kNoPri; }
  std::uint32_t highest_pasid(unsigned) const override { return 100; }
  void attach(unsigned device, Pasid pasid, IoDomain& domain, Task done) override {
    EXPECT_EQ(owners.count(device), 1U);
    EXPECT_TRUE(attached.emplace(std::pair(device, pasid.value()), &domain).second);
    machine_.after(7, std::move(done));
  }
  void replace(unsigned device, Pasid pasid, IoDomain& from, IoDomain& to, Task done) override {
    IoDomain*& now = attached.at({device, pasid.value()});
    EXPECT_EQ(now, &from);
    now = &to;
    machine_.after(9, std::move(done));
  }
  void detach(unsigned device, Pasid pasid, IoDomain& domain, Task done) override {
    EXPECT_EQ(attached.at({device, pasid.value()}), &domain);
    machine_.after(11, [this, device, pasid, done = std::move(done)] {
      attached.erase({device, pasid.value()});
      done();
    });
  }
  void set_fault_handler(unsigned device, Pasid pasid, IopfQueue::Handler handler) override {
    handlers[{device, pasid.value()}] = std::move(handler);
  }
  void respond(const IopfGroupRef& group, PageResponseCode code) override {
    EXPECT_TRUE(group->pending) << "a group is answered twice";
    group->pending = false;
    ++(code == PageResponseCode::kSuccess ? successes : invalids);
  }

  // A group of the device. Refused, as the driver of the IOMMU does, when nobody handles it.
  void fault(unsigned device, Pasid pasid, unsigned requests) {
    auto group = std::make_shared<IopfGroup>();
    for (unsigned i = 0; i < requests; ++i) {
      PageRequest request;
      request.has_pasid = true;
      request.pasid = pasid;
      request.read = true;
      request.write = i % 2 == 1;
      request.page = 0x10000 + i * kPageSize;
      request.prg_index = static_cast<std::uint16_t>(groups);
      request.last = i + 1 == requests;
      group->requests.push_back(request);
    }
    ++groups;
    const auto found = handlers.find({device, pasid.value()});
    if (found == handlers.end() || found->second == nullptr || found->second(group) != Errno::kNone) {
      group->pending = false;
      ++refused;
    }
  }

  static constexpr unsigned kOld = 8;
  static constexpr unsigned kNoPri = 9;
  std::map<unsigned, std::uint64_t> owners;
  std::map<std::pair<unsigned, std::uint32_t>, IoDomain*> attached;
  std::map<std::pair<unsigned, std::uint32_t>, IopfQueue::Handler> handlers;
  unsigned groups = 0;
  unsigned refused = 0;
  unsigned successes = 0;
  unsigned invalids = 0;

 private:
  Machine& machine_;
};

// Whole pages, as many tests fill some.
class PagedMemory : public PhysicalMemory {
 public:
  void read(Addr address, void* data, std::size_t length) override {
    std::memcpy(data, at(address, length), length);
  }
  void write(Addr address, const void* data, std::size_t length) override {
    std::memcpy(at(address, length), data, length);
  }

 private:
  unsigned char* at(Addr address, std::size_t length) {
    const Addr offset = address & (kPageSize - 1);
    EXPECT_LE(offset + length, kPageSize);
    return pages_[address - offset].data() + offset;
  }
  std::map<Addr, std::array<unsigned char, kPageSize>> pages_;
};

struct System {
  PagedMemory memory;
  PageAllocator pages{kBase, 4096 * kPageSize};
  StepMachine machine{memory};
  PageTableFormat format = make_x86_first_stage(4, PageFormatOptions{});
  SvaSpace space{"p", format, memory, pages};
  IommufdStats stats;
  DomainIds ids;
  UserPages user_pages{machine,
                       pages,
                       {10, 10, 1, 3},
                       stats,
                       [this](SvaSpace&, const Stale& stale, const Machine::Task& done) {
                         for (const Addr page : stale.pages) pages.free(page);
                         done();
                       }};
  FakeHardware hardware{machine};
  std::vector<std::unique_ptr<Iommufd>> contexts;
  Addr buffer = space.memory.map(64 * kPageSize, Vma{});

  Iommufd& open() {
    contexts.push_back(std::make_unique<Iommufd>(
        Iommufd::Ground{machine, pages, ids, make_vtd_second_stage(4, PageFormatOptions{}), 48, user_pages,
                        hardware, stats, 100},
        contexts.size() + 1));
    return *contexts.back();
  }
  Iommufd& context = open();

  // Makes a call and runs until it has ended.
  template <typename Call>
  Iommufd::Outcome wait(Call call) {
    Iommufd::Outcome result{Errno::kAgain, 0, 0};
    bool ended = false;
    call([&](const Iommufd::Outcome& outcome) {
      EXPECT_FALSE(ended) << "a call ends twice";
      ended = true;
      result = outcome;
    });
    while (!ended && machine.step()) {
    }
    EXPECT_TRUE(ended);
    return result;
  }
  Iommufd::Outcome bind(unsigned device, std::uint64_t cookie) { return bind(context, device, cookie); }
  Iommufd::Outcome bind(Iommufd& in, unsigned device, std::uint64_t cookie) {
    return wait([&](auto done) { in.bind(device, cookie, done); });
  }
  std::uint32_t ioas() {
    return wait([&](auto done) { context.ioas_alloc(done); }).id;
  }
  Iommufd::Outcome map(std::uint32_t ioas, std::uint64_t first, std::uint64_t count,
                       std::optional<Addr> iova = std::nullopt, bool write = true) {
    const Addr start = buffer + first * kPageSize;
    return wait([&](auto done) {
      context.ioas_map(ioas, {&space, {start, start + count * kPageSize}, write, iova}, done);
    });
  }
  Iommufd::Outcome unmap(std::uint32_t ioas, Addr iova, std::uint64_t size) {
    return wait([&](auto done) { context.ioas_unmap(ioas, iova, size, done); });
  }
  std::uint32_t fault_queue() {
    return wait([&](auto done) { context.fault_queue_alloc(done); }).id;
  }
  Iommufd::Outcome hwpt(std::uint32_t dev, std::uint32_t ioas, std::optional<std::uint32_t> faults) {
    return wait([&](auto done) { context.hwpt_alloc(dev, ioas, faults, done); });
  }
  Errno attach(std::uint32_t dev, Pasid pasid, std::uint32_t table) {
    return wait([&](auto done) { context.attach(dev, pasid, table, done); }).error;
  }
  Errno detach(std::uint32_t dev, Pasid pasid) {
    return wait([&](auto done) { context.detach(dev, pasid, done); }).error;
  }
  Errno destroy(std::uint32_t id) {
    return wait([&](auto done) { context.destroy(id, done); }).error;
  }
  Errno unbind(std::uint32_t dev) {
    return wait([&](auto done) { context.unbind(dev, done); }).error;
  }
  void close() {
    wait([&](auto done) { context.close([done] { done({}); }); });
  }
};

// --- who has a device. SPEC: [LINUX iommufd_bind_device, iommu_device_claim_dma_owner] ---

TEST(IommufdBind, OneContextOneCookie) {
  System s;
  Iommufd& other = s.open();
  ASSERT_EQ(s.bind(0, 7).error, Errno::kNone);
  EXPECT_EQ(s.bind(0, 8).error, Errno::kBusy);
  EXPECT_EQ(s.bind(1, 7).error, Errno::kBusy);
  EXPECT_EQ(s.bind(other, 0, 7).error, Errno::kBusy);
  EXPECT_EQ(s.bind(other, 1, 7).error, Errno::kNone);  // cookies are the context's
  EXPECT_EQ(s.bind(FakeHardware::kOld, 9).error, Errno::kNoDevice);
  EXPECT_TRUE(s.hardware.attached.empty());
}

TEST(IommufdBind, UnbindGivesBackAndAnotherMayHaveIt) {
  System s;
  Iommufd& other = s.open();
  const std::uint32_t dev = s.bind(0, 7).id;
  EXPECT_EQ(s.unbind(dev), Errno::kNone);
  EXPECT_EQ(s.unbind(dev), Errno::kNoEntry);
  EXPECT_EQ(s.bind(other, 0, 7).error, Errno::kNone);
}

// --- address spaces. SPEC: [LINUX io_pagetable.c] ---

TEST(IommufdMap, PinsEachPageOnceForEachMap) {
  System s;
  const std::uint32_t ioas = s.ioas();
  EXPECT_EQ(s.map(ioas, 0, 4, 0x10000).error, Errno::kNone);
  EXPECT_EQ(s.map(ioas, 2, 4).error, Errno::kNone);
  EXPECT_EQ(s.stats.pages_pinned.value, 8U);
  EXPECT_EQ(s.pages.users(s.space.memory.translate(s.buffer)), 2U);
  EXPECT_EQ(s.pages.users(s.space.memory.translate(s.buffer + 2 * kPageSize)), 3U);
  EXPECT_EQ(s.unmap(ioas, 0, Ioas::kEverything).value, 8 * kPageSize);
  EXPECT_EQ(s.pages.users(s.space.memory.translate(s.buffer + 2 * kPageSize)), 1U);
  EXPECT_EQ(s.unmap(ioas, 0, Ioas::kEverything).error, Errno::kNone);
}

TEST(IommufdMap, RefusesWhatIsTakenReservedOrBeyond) {
  System s;
  const std::uint32_t ioas = s.ioas();
  ASSERT_EQ(s.map(ioas, 0, 4, 0x10000).error, Errno::kNone);
  EXPECT_EQ(s.map(ioas, 8, 2, 0x13000).error, Errno::kExists);
  EXPECT_EQ(s.map(ioas, 8, 2, 0xF000).error, Errno::kExists);
  EXPECT_EQ(s.map(ioas, 8, 2, 0x14000).error, Errno::kNone);
  EXPECT_EQ(s.map(ioas, 8, 2, 0xE000).error, Errno::kNone);
  EXPECT_EQ(s.map(ioas, 8, 1, 0x30800).error, Errno::kInvalid);
  EXPECT_EQ(s.map(ioas, 8, 2, 0xFEDF'F000).error, Errno::kInvalid);
  EXPECT_EQ(s.map(ioas, 8, 1, 0xFEEF'F000).error, Errno::kInvalid);
  EXPECT_EQ(s.map(ioas, 8, 1, 0xFEF0'0000).error, Errno::kNone);
  EXPECT_EQ(s.map(ioas, 8, 2, (Addr{1} << 48U) - kPageSize).error, Errno::kInvalid);
  EXPECT_EQ(s.map(ioas, 8, 2, ~Addr{0} - kPageSize + 1).error, Errno::kOverflow);
  EXPECT_EQ(s.map(ioas, 64, 1).error, Errno::kFault);  // behind the buffer
  EXPECT_EQ(s.map(99, 0, 1).error, Errno::kNoEntry);
  EXPECT_EQ(s.stats.pages_pinned.value - s.stats.pages_unpinned.value, 9U);
}

TEST(IommufdMap, AllocatesTheLowestFreeAddresses) {
  System s;
  const std::uint32_t ioas = s.ioas();
  ASSERT_EQ(s.map(ioas, 0, 1, 0x3000).error, Errno::kNone);
  EXPECT_EQ(s.map(ioas, 0, 2).value, 0x1000U);
  EXPECT_EQ(s.map(ioas, 0, 1).value, 0x4000U);
  EXPECT_EQ(s.unmap(ioas, 0x1000, 2 * kPageSize).value, 2 * kPageSize);
  EXPECT_EQ(s.map(ioas, 0, 3).value, 0x5000U);
  EXPECT_EQ(s.map(ioas, 0, 2).value, 0x1000U);
}

TEST(IommufdMap, UnmapsWholeMapsOnly) {
  System s;
  const std::uint32_t ioas = s.ioas();
  ASSERT_EQ(s.map(ioas, 0, 4, 0x10000).error, Errno::kNone);
  ASSERT_EQ(s.map(ioas, 4, 4, 0x14000).error, Errno::kNone);
  EXPECT_EQ(s.unmap(ioas, 0x11000, 3 * kPageSize).error, Errno::kNoEntry);
  EXPECT_EQ(s.unmap(ioas, 0x10000, 3 * kPageSize).error, Errno::kNoEntry);
  EXPECT_EQ(s.unmap(ioas, 0x10000, 5 * kPageSize).error, Errno::kNoEntry);
  EXPECT_EQ(s.unmap(ioas, 0x20000, kPageSize).error, Errno::kNoEntry);
  EXPECT_EQ(s.stats.pages_unpinned.value, 0U);
  EXPECT_EQ(s.unmap(ioas, 0xF000, 10 * kPageSize).value, 8 * kPageSize);
  EXPECT_EQ(s.stats.pages_unpinned.value, 8U);
}

TEST(IommufdMap, PinnedPagesAreNotReclaimed) {
  System s;
  const std::uint32_t ioas = s.ioas();
  ASSERT_EQ(s.map(ioas, 0, 4).error, Errno::kNone);
  ASSERT_TRUE(is_handled(s.space.memory.fault(s.buffer + 4 * kPageSize, true, true)));
  const Stale stale = s.space.memory.reclaim(s.buffer, s.buffer + 8 * kPageSize);
  EXPECT_FALSE(stale.empty());
  EXPECT_EQ(s.space.memory.page_out(stale), 1U);
  EXPECT_TRUE(s.space.memory.is_resident(s.buffer + 3 * kPageSize));
}

TEST(IommufdMap, AreInEveryTableOfTheAddressSpace) {
  System s;
  const std::uint32_t dev = s.bind(0, 7).id;
  const std::uint32_t ioas = s.ioas();
  ASSERT_EQ(s.map(ioas, 0, 2, 0x10000).error, Errno::kNone);
  const std::uint32_t hwpt = s.hwpt(dev, ioas, std::nullopt).id;
  ASSERT_EQ(s.attach(dev, kPasid, hwpt), Errno::kNone);
  ASSERT_EQ(s.attach(dev, kNoPasid, ioas), Errno::kNone);
  ASSERT_EQ(s.map(ioas, 2, 1, 0x20000).error, Errno::kNone);
  for (const Pasid pasid : {kPasid, kNoPasid}) {
    const IoDomain& domain = *s.hardware.attached.at({0, pasid.value()});
    EXPECT_EQ(domain.find(0x11010), s.space.memory.translate(s.buffer + kPageSize) + 0x10);
    EXPECT_EQ(domain.find(0x20000), s.space.memory.translate(s.buffer + 2 * kPageSize));
  }
  EXPECT_NE(s.hardware.attached.at({0, 3}), s.hardware.attached.at({0, 0}));
  ASSERT_EQ(s.unmap(ioas, 0x10000, 2 * kPageSize).error, Errno::kNone);
  for (const Pasid pasid : {kPasid, kNoPasid}) {
    EXPECT_FALSE(s.hardware.attached.at({0, pasid.value()})->find(0x10000).has_value());
  }
}

// --- attach. SPEC: [LINUX iommufd_device_attach, iommufd_hw_pagetable_alloc] ---

TEST(IommufdAttach, RefusesWhatDoesNotFit) {
  System s;
  const std::uint32_t dev = s.bind(0, 1).id;
  const std::uint32_t no_pri = s.bind(FakeHardware::kNoPri, 2).id;
  const std::uint32_t ioas = s.ioas();
  const std::uint32_t queue = s.fault_queue();
  const std::uint32_t hwpt = s.hwpt(dev, ioas, queue).id;
  EXPECT_EQ(s.attach(dev, Pasid(101), ioas), Errno::kInvalid);
  EXPECT_EQ(s.attach(dev, kPasid, queue), Errno::kInvalid);
  EXPECT_EQ(s.attach(dev, kPasid, 99), Errno::kNoEntry);
  EXPECT_EQ(s.attach(99, kPasid, ioas), Errno::kNoEntry);
  EXPECT_EQ(s.attach(no_pri, kPasid, hwpt), Errno::kNoDevice);
  EXPECT_EQ(s.detach(dev, kPasid), Errno::kInvalid);
  EXPECT_EQ(s.hwpt(99, ioas, {}).error, Errno::kNoEntry);
  EXPECT_TRUE(s.hardware.attached.empty());
}

TEST(IommufdAttach, TablesOfAnAddressSpaceGoWithTheirLastUser) {
  System s;
  const std::uint32_t dev = s.bind(0, 1).id;
  const std::uint32_t ioas = s.ioas();
  ASSERT_EQ(s.attach(dev, kPasid, ioas), Errno::kNone);
  ASSERT_EQ(s.attach(dev, Pasid(4), ioas), Errno::kNone);
  EXPECT_EQ(s.ids.used(), 1U);  // one for both
  EXPECT_EQ(s.destroy(ioas), Errno::kBusy);
  EXPECT_EQ(s.detach(dev, kPasid), Errno::kNone);
  EXPECT_EQ(s.ids.used(), 1U);
  EXPECT_EQ(s.detach(dev, Pasid(4)), Errno::kNone);
  EXPECT_EQ(s.ids.used(), 0U);
  EXPECT_EQ(s.destroy(ioas), Errno::kNone);
}

TEST(IommufdAttach, ReplacingAnswersWhatWaitedForTheOldTable) {
  System s;
  const std::uint32_t dev = s.bind(0, 1).id;
  const std::uint32_t ioas = s.ioas();
  const std::uint32_t queue = s.fault_queue();
  const std::uint32_t first = s.hwpt(dev, ioas, queue).id;
  const std::uint32_t second = s.hwpt(dev, ioas, s.fault_queue()).id;
  ASSERT_EQ(s.attach(dev, kPasid, first), Errno::kNone);
  s.hardware.fault(0, kPasid, 2);
  EXPECT_EQ(s.destroy(first), Errno::kBusy);
  EXPECT_EQ(s.destroy(queue), Errno::kBusy);
  EXPECT_EQ(s.attach(dev, kPasid, second), Errno::kNone);
  EXPECT_EQ(s.hardware.invalids, 1U);
  EXPECT_EQ(s.destroy(first), Errno::kNone);
  EXPECT_EQ(s.destroy(queue), Errno::kNone);
}

// --- faults. SPEC: [LINUX drivers/iommu/iommufd/fault.c, struct iommu_hwpt_pgfault] ---

struct IommufdFaults : testing::Test {
  System s;
  std::uint32_t dev = s.bind(0, 1).id;
  std::uint32_t queue_id = s.fault_queue();
  std::uint32_t hwpt = s.hwpt(dev, s.ioas(), queue_id).id;
  FaultQueue& queue = *s.context.fault_queue(queue_id);
  std::vector<IommufdFault> records;
  void SetUp() override { ASSERT_EQ(s.attach(dev, kPasid, hwpt), Errno::kNone); }
};

TEST_F(IommufdFaults, RecordsSayWhoWhatAndWhichGroup) {
  s.hardware.fault(0, kPasid, 2);
  ASSERT_EQ(queue.read(80, records), Errno::kNone);
  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].flags, 1U);  // PASID
  EXPECT_EQ(records[1].flags, 3U);  // PASID, last
  EXPECT_EQ(records[0].dev_id, dev);
  EXPECT_EQ(records[0].pasid, 3U);
  EXPECT_EQ(records[0].perm, 1U);  // read
  EXPECT_EQ(records[1].perm, 3U);  // read, write
  EXPECT_EQ(records[1].addr, 0x11000U);
  EXPECT_EQ(records[0].cookie, 1U);
  EXPECT_EQ(records[1].cookie, 1U);
}

TEST_F(IommufdFaults, ReadsWholeGroupsOnly) {
  s.hardware.fault(0, kPasid, 2);
  s.hardware.fault(0, kPasid, 3);
  EXPECT_EQ(queue.read(79, records), Errno::kSeek);
  EXPECT_EQ(queue.read(40, records), Errno::kNone);
  EXPECT_TRUE(records.empty());
  EXPECT_EQ(queue.read(4 * 40, records), Errno::kNone);
  EXPECT_EQ(records.size(), 2U);
  EXPECT_TRUE(queue.readable());
  EXPECT_EQ(queue.read(3 * 40, records), Errno::kNone);
  ASSERT_EQ(records.size(), 5U);
  EXPECT_EQ(records[4].cookie, 2U);
  EXPECT_FALSE(queue.readable());
}

TEST_F(IommufdFaults, EachGroupIsAnsweredOnceByItsCookie) {
  s.hardware.fault(0, kPasid, 1);
  EXPECT_EQ(queue.write(1, true), Errno::kInvalid);  // not read yet
  ASSERT_EQ(queue.read(40, records), Errno::kNone);
  EXPECT_EQ(queue.write(2, true), Errno::kInvalid);
  EXPECT_EQ(queue.write(1, true), Errno::kNone);
  EXPECT_EQ(queue.write(1, true), Errno::kInvalid);
  EXPECT_EQ(s.hardware.successes, 1U);
}

TEST_F(IommufdFaults, DetachAnswersReadAndUnreadOnesOfThatPasidOnly) {
  ASSERT_EQ(s.attach(dev, Pasid(4), hwpt), Errno::kNone);
  s.hardware.fault(0, kPasid, 1);
  ASSERT_EQ(queue.read(40, records), Errno::kNone);
  s.hardware.fault(0, kPasid, 1);
  s.hardware.fault(0, Pasid(4), 1);
  EXPECT_EQ(s.detach(dev, kPasid), Errno::kNone);
  EXPECT_EQ(s.hardware.invalids, 2U);
  EXPECT_EQ(queue.write(1, true), Errno::kInvalid);
  EXPECT_EQ(queue.pending(), 1U);
  s.hardware.fault(0, kPasid, 1);
  EXPECT_EQ(s.hardware.refused, 1U);
}

// --- the end, in every order ---

enum class End { kDetach, kUnbind, kDestroyHwpt, kDestroyQueue, kDestroyIoas, kClose, kWrite, kEnds };

// Everything is set up, with faults read and unread and memory of the process gone; then all of it ends.
void end_in_order(const std::vector<End>& order, bool one_by_one) {
  System s;
  const std::uint64_t before = s.pages.used();
  const std::uint32_t dev = s.bind(0, 1).id;
  const std::uint32_t ioas = s.ioas();
  const std::uint32_t queue = s.fault_queue();
  ASSERT_EQ(s.map(ioas, 0, 8).error, Errno::kNone);
  const std::uint32_t hwpt = s.hwpt(dev, ioas, queue).id;
  ASSERT_EQ(s.attach(dev, kPasid, hwpt), Errno::kNone);
  ASSERT_EQ(s.attach(dev, kNoPasid, ioas), Errno::kNone);
  s.hardware.fault(0, kPasid, 1);
  std::vector<IommufdFault> records;
  ASSERT_EQ(s.context.fault_queue(queue)->read(40, records), Errno::kNone);
  s.hardware.fault(0, kPasid, 2);
  unsigned ended = 0;
  const auto done = [&ended](const Iommufd::Outcome&) { ++ended; };
  unsigned calls = 0;
  for (const End end : order) {
    if (end == End::kDetach) s.context.detach(dev, kPasid, done);
    if (end == End::kUnbind) s.context.unbind(dev, done);
    if (end == End::kDestroyHwpt) s.context.destroy(hwpt, done);
    if (end == End::kDestroyQueue) s.context.destroy(queue, done);
    if (end == End::kDestroyIoas) s.context.destroy(ioas, done);
    if (end == End::kClose) s.context.close([&ended] { ++ended; });
    if (end == End::kWrite) {
      if (FaultQueue* faults = s.context.fault_queue(queue)) static_cast<void>(faults->write(1, true));
    } else {
      ++calls;
    }
    if (one_by_one) s.machine.run();
    s.hardware.fault(0, kPasid, 1);
  }
  s.machine.run();
  EXPECT_EQ(ended, calls);
  EXPECT_TRUE(s.context.gone());
  EXPECT_EQ(s.context.objects(), 0U);
  EXPECT_TRUE(s.hardware.owners.empty());
  EXPECT_TRUE(s.hardware.attached.empty());
  EXPECT_EQ(s.ids.used(), 0U);
  EXPECT_EQ(s.stats.pages_pinned.value, 8U);
  EXPECT_EQ(s.stats.pages_unpinned.value, 8U);
  EXPECT_EQ(s.pages.used() - before, s.space.memory.resident_pages() + 3);  // and tables of the process
  EXPECT_EQ(s.hardware.groups, s.hardware.successes + s.hardware.invalids + s.hardware.refused);
}

TEST(IommufdEnd, AllOrdersOfCallsLeaveNothing) {
  std::vector<End> order;
  for (int i = 0; i < static_cast<int>(End::kEnds); ++i) order.push_back(static_cast<End>(i));
  do {
    end_in_order(order, true);
    end_in_order(order, false);
    if (HasFailure()) return;
  } while (std::next_permutation(order.begin(), order.end()));
}

// Calls of two contexts and two devices at random, several under way at once; then everything is closed.
TEST(IommufdEnd, RandomCallsLeaveNothing) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    System s;
    RngStream rng(seed, "iommufd");
    s.open();
    std::uint64_t under_way = 0;
    const auto done = [&under_way](const Iommufd::Outcome&) { --under_way; };
    std::set<std::uint32_t> devices[2];
    for (unsigned i = 0; i < 300; ++i) {
      const unsigned which = static_cast<unsigned>(rng.below(2));
      Iommufd& context = *s.contexts[which];
      const auto id = [&] { return static_cast<std::uint32_t>(1 + rng.below(24)); };
      const Pasid pasid(static_cast<std::uint32_t>(rng.below(4)));
      ++under_way;
      switch (rng.below(12)) {
        case 0:
          context.bind(static_cast<unsigned>(rng.below(2)), rng.below(3), done);
          break;
        case 1:
          context.unbind(id(), done);
          break;
        case 2:
          context.ioas_alloc(done);
          break;
        case 3:
        case 4: {
          const Addr start = s.buffer + rng.below(60) * kPageSize;
          context.ioas_map(id(), {&s.space, {start, start + (1 + rng.below(4)) * kPageSize}, true, {}}, done);
          break;
        }
        case 5:
          context.ioas_unmap(id(), 0, Ioas::kEverything, done);
          break;
        case 6:
          context.fault_queue_alloc(done);
          break;
        case 7:
          context.hwpt_alloc(id(), id(), rng.below(2) == 0 ? std::nullopt : std::optional(id()), done);
          break;
        case 8:
        case 9:
          context.attach(id(), pasid, id(), done);
          break;
        case 10:
          context.detach(id(), pasid, done);
          break;
        default:
          context.destroy(id(), done);
          break;
      }
      s.hardware.fault(static_cast<unsigned>(rng.below(2)), pasid, 1 + static_cast<unsigned>(rng.below(3)));
      if (FaultQueue* queue = context.fault_queue(id())) {
        std::vector<IommufdFault> records;
        static_cast<void>(queue->read(40 * rng.below(4), records));
        static_cast<void>(queue->write(static_cast<std::uint32_t>(1 + rng.below(4)), rng.below(2) == 0));
      }
      for (std::uint64_t steps = rng.below(6); steps-- > 0;) s.machine.step();
    }
    s.machine.run();
    for (const auto& context : s.contexts) {
      const bool close_first = rng.below(2) == 0;
      if (close_first) context->close([] {});
      for (const std::uint32_t device : context->bound()) {
        ++under_way;
        context->unbind(device, done);
      }
      if (!close_first) context->close([] {});
      s.machine.run();
      EXPECT_TRUE(context->gone());
    }
    EXPECT_EQ(under_way, 0U);
    EXPECT_TRUE(s.hardware.owners.empty());
    EXPECT_TRUE(s.hardware.attached.empty());
    EXPECT_EQ(s.ids.used(), 0U);
    EXPECT_EQ(s.stats.pages_pinned.value, s.stats.pages_unpinned.value);
    EXPECT_GT(s.stats.pages_pinned.value, 0U);
    EXPECT_EQ(s.hardware.groups, s.hardware.successes + s.hardware.invalids + s.hardware.refused);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace svasim
