// Walks over memory full of random words: they end, within the accesses a walk can need, and what they
// return has the shape of a translation or of a fault.
#include <gtest/gtest.h>

#include <map>

#include "base/bits.h"
#include "base/rng.h"
#include "models/formats/page_table_format.h"
#include "models/walker/walk_machine.h"

namespace svasim {
namespace {

// Every word is there, made up when it is first looked at; small addresses make tables meet, and point to
// themselves.
class Garbage {
 public:
  explicit Garbage(RngStream& rng) : rng_(rng) {}
  std::uint64_t& at(Addr address) {
    const auto [found, is_new] = words_.try_emplace(address, 0);
    if (is_new) {
      const std::uint64_t low = rng_.next() & 0xFFF;
      const std::uint64_t frame = rng_.below(4) == 0 ? rng_.next() : rng_.below(8) << 12U;
      const std::uint64_t high = rng_.below(4) == 0 ? rng_.next() & mask_between(63, 52) : 0;
      found->second = (frame & mask_between(51, 12)) | low | high | (rng_.below(2) != 0 ? 7U : 0U);
    }
    return found->second;
  }

 private:
  RngStream& rng_;
  std::map<Addr, std::uint64_t> words_;
};

TEST(WalkFuzz, GarbageEndsInATranslationOrAFault) {
  for (const PageFormatEntry& entry : format_table()) {
    RngStream rng(1, entry.name);
    std::uint64_t translated = 0;
    std::uint64_t faulted = 0;
    for (unsigned round = 0; round < 4000; ++round) {
      PageFormatOptions options;
      options.host_address_width = rng.below(2) != 0 ? 46 : 52;
      options.accessed_dirty = rng.below(2) != 0;
      options.extended_accessed = rng.below(2) != 0;
      const PageTableFormat format = entry.make(options);
      Garbage memory(rng);
      for (unsigned i = 0; i < 50; ++i) {
        WalkRequest request;
        request.format = &format;
        request.level = format.levels;
        request.table = rng.below(8) << 14U;
        request.iova = rng.below(8) == 0 ? rng.next() : rng.next() >> (64 - rng.below(57));
        request.is_write = rng.below(2) != 0;
        request.privileged = rng.below(4) == 0;
        request.write_protect = rng.below(2) != 0;
        request.need_access = rng.below(2) != 0;
        request.update_ad = rng.below(2) != 0;
        request.snooped = rng.below(8) != 0;
        WalkMachine machine;
        WalkMachine::Need need = machine.start(request);
        unsigned reads = 0;
        unsigned updates = 0;
        while (need != WalkMachine::Need::kDone) {
          ASSERT_EQ(machine.address() % 8, 0U);
          if (need == WalkMachine::Need::kRead) {
            ++reads;
            need = machine.on_read(rng.below(200) != 0, memory.at(machine.address()));
          } else {
            ++updates;
            std::uint64_t& word = memory.at(machine.address());
            const std::uint64_t seen = word;
            if (word == machine.expected()) word = machine.desired();
            need = machine.on_update(rng.below(200) != 0, seen);
          }
          ASSERT_LE(reads, format.levels) << entry.name;
          ASSERT_LE(updates, format.levels) << entry.name;
        }
        const WalkResult& result = machine.result();
        EXPECT_EQ(result.reads, reads);
        EXPECT_EQ(result.updates, updates);
        if (result.fault != FaultReason::kNone) {
          ++faulted;
          continue;
        }
        ++translated;
        ASSERT_GE(result.page_shift, 12);
        ASSERT_EQ(result.page & mask_between(result.page_shift - 1, 0), 0U)
            << "a page is aligned to its size";
        ASSERT_EQ(result.page >> 56U, 0U);
      }
    }
    EXPECT_GT(translated, 300U) << entry.name;
    EXPECT_GT(faulted, 300U) << entry.name;
  }
}

}  // namespace
}  // namespace svasim
