// The host: CPUs, operating system and processes.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <systemc>
#include <vector>

#include "models/host/host_params.h"
#include "models/host/host_stats.h"
#include "models/host/machine.h"
#include "models/host/operating_system.h"
#include "models/host/platform.h"
#include "tlm/context.h"
#include "tlm/deferrable_write.h"
#include "tlm/delay_queue.h"
#include "tlm/inspect.h"
#include "tlm/memory_port.h"
#include "tlm/sockets.h"
#include "tlm/wake.h"

namespace svasim {

// Sees the hardware only through register accesses (`memory` socket, by the memory bus), queues in
// memory and interrupt messages (`interrupts` socket, which takes the writes to 0xFEExxxxx).
class Host : public sc_core::sc_module,
             public Machine,
             public Inspectable,
             private FwReceiver,
             private MemoryClient {
 public:
  Host(const sc_core::sc_module_name& name, const HostParams& params, SimContext& context);

  InitiatorSocket<>& memory_socket() { return port_.socket(); }
  TargetSocket<>& interrupts() { return interrupts_; }

  // Once everything is bound and before the first event.
  void start(const Platform& platform);

  bool done() const { return done_; }
  const sc_core::sc_event& done_event() const { return done_event_; }
  // Operations and steps of all processes, and one more for the end; for progress bars and watchdogs. A
  // host that could not do its work is done with less than the total.
  std::uint64_t work_done() const;
  std::uint64_t work_total() const;
  // The workload itself does nothing before.
  Ps asleep_until() const { return system_ == nullptr ? 0 : system_->asleep_until(); }

  // Of a physical page: see PageAllocator.
  std::optional<std::uint64_t> page_life(Addr page) const;

  // What has to hold when the work is done.
  std::vector<HostCheck> checks() const;
  // What the drivers had to say: errors and refused requests, oldest first.
  const HostLog& log() const { return log_; }
  const HostStats& stats() const { return stats_; }
  const Wake& wake() const { return wake_; }

  std::uint64_t in_flight() const override;
  void dump_in_flight(std::ostream& out) const override;

  // Machine.
  Ps now() const override { return now_ps(); }
  PhysicalMemory& memory() override { return memory_; }
  void after(Ps delay, Task task) override;
  void read_register(Addr address, unsigned bytes, Answer answer) override;
  void write_register(Addr address, const void* data, unsigned bytes) override;
  void enqueue(Addr address, const void* data, Answer answer) override;
  InterruptMessage add_interrupt(Task handler) override;

 private:
  // Order of tasks due at one instant; see Machine.
  enum class Work : std::uint64_t { kAnswer, kInterrupt, kTask };
  static constexpr unsigned kFirstVector = 0x20;

  struct Access {
    Transaction* payload = nullptr;
    unsigned char data[64] = {};
    Answer answer;
    std::uint64_t number = 0;
    bool read = false;
    DeferrableWrite deferrable;  // on the payload of an ENQCMD
  };
  class BusMemory : public PhysicalMemory {
   public:
    explicit BusMemory(Host& host) : host_(host) {}
    void read(Addr address, void* data, std::size_t length) override;
    void write(Addr address, const void* data, std::size_t length) override;

   private:
    void transfer(tlm::tlm_command command, Addr address, unsigned char* data, std::size_t length);
    Host& host_;
    tlm::tlm_generic_payload payload_;
  };

  tlm::tlm_sync_enum nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  void memory_response(tlm::tlm_generic_payload& payload, Ps delay) override;

  void run();
  void push(Ps due, Work work, std::uint64_t number, Task task);
  Access& begin_access(tlm::tlm_command command, Addr address, unsigned bytes);
  void send(Access& access);
  void end_access(std::uint32_t slot);

  std::optional<double> statistic(const std::string& path, const std::string& field) const;

  HostParams params_;
  SimContext& context_;
  MemoryPort port_;
  TargetSocket<> interrupts_;
  Wake wake_;
  sc_core::sc_event done_event_;

  DelayQueue<Task> work_;
  bool running_ = false;
  std::uint64_t number_ = 0;    // of tasks and accesses
  std::list<Access> accesses_;  // addresses stay: payloads point into them
  std::vector<Access*> access_slots_;
  std::vector<std::uint32_t> free_accesses_;
  Ps next_access_ = 0;
  std::vector<Task> vectors_;

  BusMemory memory_;
  std::unique_ptr<StepBoard> board_;
  std::unique_ptr<OperatingSystem> system_;
  bool done_ = false;
  HostLog log_;
  HostStats stats_;
};

}  // namespace svasim
