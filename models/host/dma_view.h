// The memory of a process as one device sees it that does not share the address space.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "models/host/address_span.h"
#include "models/host/dma_api.h"
#include "models/host/process_memory.h"

namespace svasim {

// Pages are pinned while they are mapped. SPEC: [LINUX pin_user_pages]
class DmaView {
 public:
  using Task = Machine::Task;
  using Result = std::function<void(Errno)>;

  // Part of the process's memory; nothing when its length is 0.
  struct Part {
    Addr start = 0;
    std::uint64_t length = 0;
    bool write = false;  // by the device
  };
  // What an operation reads and writes, where the device finds it, and what was mapped for that.
  struct Job {
    Part from;
    Part to;
    Addr source = 0;
    Addr destination = 0;
    std::uint64_t mapped_from = 0;
    std::uint64_t mapped_to = 0;
    bool mapped() const { return mapped_from != 0 || mapped_to != 0; }
  };

  DmaView(DmaApi& api, ProcessMemory& memory, PageAllocator& pages, Machine& machine, Ps page_fault_time)
      : api_(api), memory_(memory), pages_(pages), machine_(machine), page_fault_time_(page_fault_time) {}

  // Streaming: for one operation. True: all of it is kept mapped anyway, and the job is ready.
  bool is_ready(Job& job) const;
  // Maps what is not; nothing of it is when that fails. kInvalid: it was closed meanwhile.
  void begin(Job& job, Result ready);
  void end(Job& job, Task done);

  // Keeps whole pages mapped. kBusy: they are.
  void keep(const Part& part, Result result);
  // Unmaps what keep() mapped from this address on. kInvalid: nothing is. Whoever goes on to use it, uses
  // the address it had: a driver's mistake, or a device's.
  void drop(Addr start, Result result);
  // What the device calls an address that is, or was, kept mapped.
  std::optional<Addr> kept(Addr start, std::uint64_t length) const;

  // Unmaps everything. The device has stopped.
  void close(Task done);

 private:
  struct Mapping {
    Addr iova = 0;
    std::vector<Addr> pages;
  };
  struct Kept {
    Addr end = 0;
    Addr iova = 0;
    std::uint64_t mapping = 0;  // 0: unmapped since
  };
  using Mapped = std::function<void(Errno error, std::uint64_t mapping, Addr address)>;

  void map(const Part& part, Mapped done);
  void map_touched(const Part& part, const Mapped& done);
  void unmap(std::uint64_t mapping, Task done);
  void unpin(const std::vector<Addr>& pages);
  void ended();

  DmaApi& api_;
  ProcessMemory& memory_;
  PageAllocator& pages_;
  Machine& machine_;
  Ps page_fault_time_;
  std::uint64_t next_ = 1;
  std::map<std::uint64_t, Mapping> mappings_;
  std::map<Addr, Kept> kept_;
  std::uint64_t under_way_ = 0;  // calls of the API
  Task closing_;
  bool closed_ = false;
};

}  // namespace svasim
