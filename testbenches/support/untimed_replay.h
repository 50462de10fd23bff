// Drives a replay with the reference translator: no caches, no time.
#pragma once

#include <algorithm>

#include "models/reference/memory_view.h"
#include "models/reference/reference_translator.h"
#include "models/traffic/replay_session.h"

namespace svasim {

class MemorySource : public TableSource {
 public:
  explicit MemorySource(const PageMemory& memory) : memory_(memory) {}
  void read_page(Addr address, TablePage& page) const override {
    for (std::size_t i = 0; i < page.size(); ++i) {
      page[i] = 0;
      memory_.read64(address + i * 8, page[i]);
    }
  }

 private:
  const PageMemory& memory_;
};

// `break_at` damages the tables behind the session's back at that store, to see a check fail.
inline const ReplayReport& replay_untimed(ReplaySession& session, const ReferenceRegisters& capabilities,
                                          std::uint64_t break_at = ~std::uint64_t{0}) {
  PageMemory memory;
  ReferenceRegisters registers = capabilities;
  ReferenceTranslator translator(memory, registers);
  std::uint64_t stores = 0;
  const auto store = [&](const TableWrites& writes) {
    for (const TableWrites::Span& span : writes.spans()) {
      memory.add_page(span.address & ~(kPageSize - 1));
      for (std::size_t i = 0; i < span.count; ++i) {
        if (++stores == break_at) continue;
        memory.write64(span.address + i * 8, writes.words()[span.first + i]);
      }
    }
  };
  const auto access = [&](const ReplayAccess& a) {
    auto verdict = ReplaySession::Verdict::kEqual;
    ReplayAccess::Answer worst;
    Addr worst_at = a.iova;
    // A request does not cross 4 KiB.
    for (Addr at = a.iova; at < a.iova + a.length; at = (at / kPageSize + 1) * kPageSize) {
      ReferenceRequest request;
      request.requester = a.requester;
      request.has_pasid = a.has_pasid;
      request.pasid = a.pasid;
      request.address = at;
      request.read = !a.is_write;
      request.write = a.is_write;
      const ReferenceResult result = translator.translate(request);
      ReplayAccess::Answer answer;
      if (result.ok) {
        answer.page_shift = static_cast<std::uint8_t>(result.page_shift);
        answer.page = result.address >> result.page_shift << result.page_shift;
      } else {
        answer.fault = result.fault;
      }
      const auto v = session.judge(a, at, answer);
      if (v >= verdict) {
        verdict = v;
        worst = answer;
        worst_at = at;
      }
    }
    session.count(a, verdict, worst_at, worst);
  };
  while (true) {
    const ReplayStep step = session.next();
    session.take();
    switch (step) {
      case ReplayStep::kBoot:
        registers.rtaddr = session.boot().rtaddr;
        store(*session.boot().tables);
        break;
      case ReplayStep::kAccess:
        access(session.access());
        break;
      case ReplayStep::kEdit:
        store(session.writes());
        break;
      case ReplayStep::kInvalidation:
        if (session.invalidation().wait) session.waited();
        break;
      case ReplayStep::kSnapshot:
        session.compare_snapshot(MemorySource(memory));
        break;
      case ReplayStep::kEnd:
        return session.report();
    }
  }
}

}  // namespace svasim
