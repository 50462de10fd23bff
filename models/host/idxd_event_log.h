// The driver's side of a DSA's event log. SPEC: [DSA 5], [LINUX drivers/dma/idxd/irq.c]
#pragma once

#include <array>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "models/formats/dsa_event.h"
#include "models/host/idxd_record_copy.h"
#include "models/host/script.h"

namespace svasim {

// A thread reads entries when their interrupt comes; a worker copies the completion records among them to
// the processes, one after the other. MODEL: one worker per device, so that what members of a batch leave
// is there when their batch comes.
class IdxdEventLog {
 public:
  using Task = Machine::Task;

  IdxdEventLog(std::string name, Addr bar0, Kernel& kernel)
      : name_(std::move(name)), bar0_(bar0), kernel_(kernel), copy_(kernel) {}

  // Allocates the log and enables it; for a disabled device.
  void configure(Script& script);
  // The interrupt that tells of entries has come.
  void on_interrupt();

  // Who has which PASID, among those that have opened the device.
  void add(Pasid pasid, SvaSpace& space) { openers_[pasid.value()] = &space; }
  // The process is closing, and the device has ended what it submitted: entries of the PASID are left alone
  // from now on, and nothing is being copied to it any more when `done` runs.
  void remove(Pasid pasid, Task done);

 private:
  void read();
  void read_entry();
  void take(const DsaEvent& event);
  void work();
  void carry_out(const DsaEvent& event, Task done);
  void copy_record(const DsaEvent& event, const DsaCompletionRecord& record,
                   std::function<void(bool whole)> done);
  SvaSpace* find(Pasid pasid) const;
  DsaEvent entry(std::uint64_t number) const;
  IdxdStats& stats() { return kernel_.stats().idxd; }

  std::string name_;
  Addr bar0_;
  Kernel& kernel_;
  IdxdRecordCopy copy_;

  Addr log_ = 0;  // physical
  std::uint64_t size_ = 0;
  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;
  bool reading_ = false;
  bool again_ = false;         // an interrupt came meanwhile
  std::vector<bool> ignored_;  // by place in the log
  std::map<std::uint32_t, SvaSpace*> openers_;
  std::deque<DsaEvent> jobs_;  // the first is being carried out
  std::deque<Task> waiting_;   // for the worker to have nothing to do
  std::array<bool, 256> batch_fail_{};
};

}  // namespace svasim
