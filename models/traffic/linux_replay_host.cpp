// The host's side of the replay: memory, registers, invalidation queue, fault records.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/check.h"
#include "base/input_error.h"
#include "models/formats/vtd_registers.h"
#include "models/traffic/linux_replay.h"

namespace svasim {
namespace {

// Looks at a wait descriptor's status before the driver looks whether the queue has stopped.
constexpr std::uint64_t kPollsBeforeStatus = 500;

// A driver that has waited long looks less often: it finds out at most 0.1 % too late.
constexpr Ps kPatience = 1024;

const char* text_of(InvalidationQueueError error) {
  switch (error) {
    case InvalidationQueueError::kNoInformation:
      return "the unit does not say why";
    case InvalidationQueueError::kInvalidTail:
      return "tail beyond the queue";
    case InvalidationQueueError::kFetchError:
      return "it could not be read";
    case InvalidationQueueError::kInvalidType:
      return "no such type in this mode";
    case InvalidationQueueError::kReservedField:
      return "a reserved field is not 0";
    case InvalidationQueueError::kInvalidWidth:
      return "wrong width of descriptors for this mode";
    case InvalidationQueueError::kTailMisaligned:
      return "tail not aligned to a descriptor";
    case InvalidationQueueError::kInvalidMode:
      return "reserved translation mode";
  }
  return "unknown reason";
}

}  // namespace

// --- Accesses. The host makes one at a time.

void LinuxReplay::host_access(Host state, tlm::tlm_command command, Addr address, unsigned char* data,
                              std::size_t bytes) {
  host_ = state;
  constexpr Ps kDelay = 1;
  Transaction& transaction = context_.pool.allocate(command, address, data, bytes, now_ps() + kDelay);
  transaction.source.key = ++host_key_;
  if (context_.loose()) {
    Ps time = kDelay;
    port_.access(transaction, time);
    schedule(std::max<Ps>(time, 1), Work::kHostDone, 0, &transaction);
  } else {
    port_.send(transaction, kDelay);
  }
}

void LinuxReplay::memory_response(tlm::tlm_generic_payload& payload, Ps delay) {
  schedule(std::max<Ps>(delay, 1), Work::kHostDone, 0, &payload);
}

void LinuxReplay::read_register(Host state, std::uint32_t offset, unsigned bytes) {
  stats_.register_accesses.add();
  value_ = 0;
  host_access(state, tlm::TLM_READ_COMMAND, params_.registers + offset,
              reinterpret_cast<unsigned char*>(&value_), bytes);
}

void LinuxReplay::write_register(Host state, std::uint32_t offset, unsigned bytes, std::uint64_t value) {
  stats_.register_accesses.add();
  value_ = value;
  host_access(state, tlm::TLM_WRITE_COMMAND, params_.registers + offset,
              reinterpret_cast<unsigned char*>(&value_), bytes);
}

void LinuxReplay::debug_access(tlm::tlm_command command, Addr address, void* data, std::size_t bytes) const {
  Transaction& transaction =
      context_.pool.allocate(command, address, static_cast<unsigned char*>(data), bytes, now_ps());
  const unsigned done = port_.debug(transaction);
  transaction.release();
  SVASIM_CHECK(done == bytes,
               "the memory bus does not reach the replay's tables; is the memory large enough?");
}

// That memory reaches as far as the capture does, and beyond for the tables.
void LinuxReplay::check_memory() const {
  std::uint64_t word = 0;
  for (const Addr last : {session_.physical_end() - 1, session_.tables().end()}) {
    Transaction& transaction = context_.pool.allocate(tlm::TLM_READ_COMMAND, last & ~Addr{7},
                                                      reinterpret_cast<unsigned char*>(&word), 8, now_ps());
    const unsigned done = port_.debug(transaction);
    transaction.release();
    if (done != sizeof word) {
      throw InputError(session_.physical_end_at(), 0,
                       fmt::format("needs memory up to {:#x}, and the tables are placed behind: the "
                                   "configuration has none at {:#x}",
                                   session_.physical_end() - 1, last));
    }
  }
}

void LinuxReplay::host_done(Transaction& transaction) {
  if (!transaction.is_response_ok()) stats_.memory_errors.add();
  transaction.release();
  continue_host();
}

// --- A recording starts: tables are in memory, as the captured machine had them, and the driver sets
// the IOMMU up. SPEC: [VTD 6.5.2, 6.6, 11.4.4]

void LinuxReplay::load_tables(const TableWrites& writes) {
  for (const TableWrites::Span& span : writes.spans()) {
    store_data_.assign(writes.words().begin() + static_cast<std::ptrdiff_t>(span.first),
                       writes.words().begin() + static_cast<std::ptrdiff_t>(span.first + span.count));
    debug_access(tlm::TLM_WRITE_COMMAND, span.address, store_data_.data(), span.count * 8);
  }
}

void LinuxReplay::boot() {
  const ReplaySession::Boot& boot = session_.boot();
  load_tables(*boot.tables);
  iqa_ = boot.iqa;
  tail_ = 0;
  since_wait_ = 0;
  using namespace vtd_reg;
  constexpr std::uint64_t kTe = VtdGcmd::TE::kMask;
  constexpr std::uint64_t kQie = VtdGcmd::QIE::kMask;
  constexpr std::uint64_t kRtps = VtdGsts::RTPS::kMask;
  script_.clear();
  if (running_) {
    // Off first, one bit at a time.
    script_ = {{false, kGcmd, 4, kQie, 0},
               {true, kGsts, 4, 0, kTe},
               {false, kGcmd, 4, 0, 0},
               {true, kGsts, 4, 0, kQie}};
  }
  running_ = true;
  const RegisterStep steps[] = {
      {false, kIqt, 8, 0, 0},
      {false, kIqa, 8, iqa_, 0},
      {false, kGcmd, 4, kQie, 0},
      {true, kGsts, 4, kQie, kQie},
      {false, kRtaddr, 8, boot.rtaddr, 0},
      {false, kGcmd, 4, kQie | VtdGcmd::SRTP::kMask, 0},
      {true, kGsts, 4, kRtps, kRtps},
      {false, kGcmd, 4, kQie | kTe, 0},
      {true, kGsts, 4, kTe, kTe},
      // Last: the value stays, to find the fault records with.
      {true, kCap, 8, 0, 0},
  };
  script_.insert(script_.end(), std::begin(steps), std::end(steps));
  script_at_ = 0;
  run_script();
}

void LinuxReplay::run_script() {
  if (script_at_ == script_.size()) {
    cap_ = value_;
    host_ = Host::kIdle;
    return;
  }
  const RegisterStep& step = script_[script_at_];
  if (step.poll) {
    read_register(Host::kScript, step.offset, step.bytes);
  } else {
    write_register(Host::kScript, step.offset, step.bytes, step.value);
  }
}

// --- Table edits

void LinuxReplay::store_next() {
  const TableWrites& writes = session_.writes();
  if (span_ == writes.spans().size()) {
    host_ = Host::kIdle;
    return;
  }
  const TableWrites::Span& span = writes.spans()[span_++];
  store_data_.assign(writes.words().begin() + static_cast<std::ptrdiff_t>(span.first),
                     writes.words().begin() + static_cast<std::ptrdiff_t>(span.first + span.count));
  stats_.stores.add();
  host_access(Host::kStores, tlm::TLM_WRITE_COMMAND, span.address,
              reinterpret_cast<unsigned char*>(store_data_.data()), span.count * 8);
}

// --- Invalidation queue

std::uint64_t LinuxReplay::ring_entry_bytes() const { return VtdIqa::DW::get(iqa_) != 0 ? 32 : 16; }

void LinuxReplay::push_descriptor() {
  const std::uint64_t entries = VtdIqa::bytes(VtdIqa::QS::get(iqa_)) / ring_entry_bytes();
  // Nearly full, and no wait tells what is free: look at the head.
  if (since_wait_ + 2 >= entries) {
    drain_ring();
    return;
  }
  queue_descriptor();
}

void LinuxReplay::drain_ring() {
  polls_ = 0;
  ringing_ = true;
  write_register(Host::kRing, vtd_reg::kIqt, 8, tail_);
}

void LinuxReplay::ring_empty() {
  since_wait_ = 0;
  ringing_ = false;
  ending_ ? end_replay() : queue_descriptor();
}

void LinuxReplay::end_replay() {
  done_ = true;
  finished_at_ = now_ps();
  host_ = Host::kIdle;
}

void LinuxReplay::queue_descriptor() {
  const ReplaySession::Invalidation& next = session_.invalidation();
  descriptor_ = next.descriptor;
  ++since_wait_;
  const std::uint64_t place = tail_ / ring_entry_bytes();
  if (place >= pushed_.size()) pushed_.resize(place + 1);
  pushed_[place] = {next.descriptor, next.line};
  stats_.stores.add();
  if (next.wait) {
    value_ = ~std::uint64_t{next.status_data};  // anything but the value to come
    host_access(Host::kStatusClear, tlm::TLM_WRITE_COMMAND, next.status_address,
                reinterpret_cast<unsigned char*>(&value_), 4);
    return;
  }
  host_ = Host::kStatusClear;
  continue_host();
}

void LinuxReplay::poll_status() {
  stats_.status_polls.add();
  value_ = 0;
  host_access(Host::kPoll, tlm::TLM_READ_COMMAND, session_.invalidation().status_address,
              reinterpret_cast<unsigned char*>(&value_), 4);
}

// --- Fault records. SPEC: [VTD 7.2.1, 11.4.14]

void LinuxReplay::service_faults() { read_register(Host::kFaultStatus, vtd_reg::kFsts, 4); }

void LinuxReplay::read_fault(std::uint32_t word, Host state) {
  const auto first = static_cast<std::uint32_t>(VtdCap::FRO::get(cap_) * 16);
  read_register(state, first + fault_index_ * 16 + word * 8, 8);
}

void LinuxReplay::match_fault_record() {
  // Records come in the order of the faults, which is that of the requests unless several overlapped.
  const auto same = [&](const Fault& f) {
    return VtdFrcdHigh::SID::get(value_) == f.access.requester.value() &&
           VtdFrcdLow::FI::in_place(fault_low_) == (f.at & ~(kPageSize - 1)) &&
           VtdFrcdHigh::FR::get(value_) == static_cast<std::uint64_t>(f.reason);
  };
  const RequesterId source(static_cast<std::uint16_t>(VtdFrcdHigh::SID::get(value_)));
  if (session_.requesters().count(source) == 0) {
    session_.count_foreign_record();
    return;
  }
  auto fault = std::find_if(faults_.begin(), faults_.end(), same);
  if (fault == faults_.end()) fault = faults_.begin();
  if (fault == faults_.end()) return;
  session_.count_fault_record(fault->access, fault->at, fault->reason, fault_low_, value_);
  faults_.erase(fault);
}

void LinuxReplay::faults_done() {
  // Without overflow every fault left a record.
  if (VtdFsts::PFO::get(fault_status_) == 0) {
    for (const Fault& f : faults_) session_.count_fault_record(f.access, f.at, f.reason, 0, 0);
  }
  faults_.clear();
  host_ = Host::kIdle;
}

// --- What comes after each access

void LinuxReplay::continue_host() {
  const ReplaySession::Invalidation& queued = session_.invalidation();
  switch (host_) {
    case Host::kIdle:
      break;
    case Host::kScript: {
      const RegisterStep& step = script_[script_at_];
      if (!step.poll || (value_ & step.mask) == step.value) ++script_at_;
      run_script();
      break;
    }
    case Host::kStores:
      store_next();
      break;
    case Host::kRing:
      // Until the queue is empty. The first answer is that of the tail register's write.
      if ((value_ & VtdIqHead::OFFSET::kMask) == tail_ && polls_ != 0) {
        ring_empty();
      } else if (polls_ % kPollsBeforeStatus == kPollsBeforeStatus - 1) {
        ++polls_;
        read_register(Host::kQueueStatus, vtd_reg::kFsts, 4);
      } else {
        ++polls_;
        read_register(Host::kRing, vtd_reg::kIqh, 8);
      }
      break;
    case Host::kStatusClear:
      host_access(Host::kDescriptor, tlm::TLM_WRITE_COMMAND, VtdIqa::IQA::in_place(iqa_) + tail_,
                  reinterpret_cast<unsigned char*>(descriptor_.data()), ring_entry_bytes());
      break;
    case Host::kDescriptor:
      tail_ = (tail_ + ring_entry_bytes()) % VtdIqa::bytes(VtdIqa::QS::get(iqa_));
      if (!queued.last_of_batch) {
        host_ = Host::kIdle;
        break;
      }
      queued_at_ = now_ps();
      write_register(Host::kTail, vtd_reg::kIqt, 8, tail_);
      break;
    case Host::kTail:
      polls_ = 0;
      if (queued.wait) {
        poll_status();
      } else {
        host_ = Host::kIdle;
      }
      break;
    case Host::kPollPause:
      poll_status();
      break;
    case Host::kPoll:
      if (static_cast<std::uint32_t>(value_) == queued.status_data) {
        stats_.invalidation_latency.record(now_ps() - queued_at_);
        since_wait_ = 0;
        session_.waited();
        host_ = Host::kIdle;
      } else if (++polls_ % kPollsBeforeStatus == 0) {
        read_register(Host::kQueueStatus, vtd_reg::kFsts, 4);
      } else {
        host_ = Host::kPollPause;
        schedule(std::max(params_.poll_interval, (now_ps() - queued_at_) / kPatience), Work::kPause);
      }
      break;
    case Host::kQueueStatus:
      if (VtdFsts::IQE::get(value_) != 0 || VtdFsts::ITE::get(value_) != 0) {
        queue_status_ = value_;
        read_register(Host::kQueueHead, vtd_reg::kIqh, 8);
      } else if (ringing_) {
        read_register(Host::kRing, vtd_reg::kIqh, 8);
      } else {
        poll_status();
      }
      break;
    case Host::kQueueHead:
      queue_head_ = value_ & VtdIqHead::OFFSET::kMask;
      read_register(Host::kQueueError, vtd_reg::kIqercd, 8);
      break;
    case Host::kQueueError: {
      // The queue stands still: nothing behind this can be replayed.
      stats_.queue_errors.add();
      const std::uint64_t place = queue_head_ / ring_entry_bytes();
      const Pushed stopped = place < pushed_.size() ? pushed_[place] : Pushed{};
      const auto error = static_cast<InvalidationQueueError>(VtdIqercd::IQEI::get(value_));
      session_.note_queue_error(
          stopped.line, stopped.descriptor,
          VtdFsts::IQE::get(queue_status_) != 0 ? text_of(error) : "a device did not answer in time");
      end_replay();
      break;
    }
    case Host::kFaultStatus:
      fault_status_ = static_cast<std::uint32_t>(value_);
      if (VtdFsts::PPF::get(fault_status_) == 0) {
        faults_done();
        break;
      }
      fault_index_ = static_cast<std::uint32_t>(VtdFsts::FRI::get(fault_status_));
      read_fault(0, Host::kFaultLow);
      break;
    case Host::kFaultLow:
      fault_low_ = value_;
      read_fault(1, Host::kFaultHigh);
      break;
    case Host::kFaultHigh:
      if (VtdFrcdHigh::F::get(value_) == 0) {
        write_register(Host::kOverflowClear, vtd_reg::kFsts, 4, VtdFsts::PFO::kMask);
        break;
      }
      match_fault_record();
      write_register(Host::kFaultClear,
                     static_cast<std::uint32_t>(VtdCap::FRO::get(cap_) * 16) + fault_index_ * 16 + 12, 4,
                     VtdFrcdHigh::F::kMask >> 32U);
      break;
    case Host::kFaultClear:
      fault_index_ = static_cast<std::uint32_t>((fault_index_ + 1) % (VtdCap::NFR::get(cap_) + 1));
      read_fault(0, Host::kFaultLow);
      break;
    case Host::kOverflowClear:
      faults_done();
      break;
  }
}

// --- Snapshots: tables as they are in memory

void LinuxReplay::compare_snapshot() {
  class Source : public TableSource {
   public:
    explicit Source(const LinuxReplay& replay) : replay_(replay) {}
    void read_page(Addr address, TablePage& page) const override {
      replay_.debug_access(tlm::TLM_READ_COMMAND, address, page.data(), sizeof(page));
    }

   private:
    const LinuxReplay& replay_;
  };
  session_.compare_snapshot(Source(*this));
}

}  // namespace svasim
