#include "models/host/host.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/stats.h"
#include "models/formats/vtd_registers.h"
#include "tlm/transaction.h"

namespace svasim {

Host::Host(const sc_core::sc_module_name& name, const HostParams& params, SimContext& context)
    : sc_core::sc_module(name),
      params_(params),
      context_(context),
      port_("memory", *this),
      interrupts_("interrupts", *this, 0),
      wake_("wake"),
      done_event_("done"),
      memory_(*this) {
  SC_HAS_PROCESS(Host);
  SC_METHOD(run);
  sensitive << wake_.event();
  dont_initialize();
  stats_.describe(context.stats, this->name());
}

// --- time and tasks ---

void Host::push(Ps due, Work work, std::uint64_t number, Task task) {
  work_.push(due, (static_cast<std::uint64_t>(work) << 56U) | number, std::move(task));
  // WHY not while it runs: an earlier task may follow, and the kernel keeps what was asked of it before.
  if (!running_) wake_.arm(due);
}

void Host::after(Ps delay, Task task) {
  push(now_ps() + std::max<Ps>(delay, 1), Work::kTask, number_++, std::move(task));
}

void Host::run() {
  wake_.fired();
  running_ = true;
  const Ps now = now_ps();
  while (work_.due() <= now) {
    const Task task = work_.pop();
    task();
  }
  running_ = false;
  wake_.arm(work_.due());
}

// --- memory and registers ---

void Host::BusMemory::transfer(tlm::tlm_command command, Addr address, unsigned char* data,
                               std::size_t length) {
  payload_.set_command(command);
  payload_.set_address(address);
  payload_.set_data_ptr(data);
  payload_.set_data_length(static_cast<unsigned>(length));
  payload_.set_streaming_width(static_cast<unsigned>(length));
  payload_.set_byte_enable_ptr(nullptr);
  payload_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  SVASIM_CHECK(
      host_.port_.debug(payload_) == length,
      fmt::format("{}: there is no memory at {:#x}; memory_base and memory_size do not fit the memory",
                  host_.name(), address));
}

void Host::BusMemory::read(Addr address, void* data, std::size_t length) {
  transfer(tlm::TLM_READ_COMMAND, address, static_cast<unsigned char*>(data), length);
}

void Host::BusMemory::write(Addr address, const void* data, std::size_t length) {
  // The payload's type is not const; a write does not change the data.
  transfer(tlm::TLM_WRITE_COMMAND, address,
           const_cast<unsigned char*>(static_cast<const unsigned char*>(data)), length);
}

Host::Access& Host::begin_access(tlm::tlm_command command, Addr address, unsigned bytes) {
  if (free_accesses_.empty()) {
    free_accesses_.push_back(static_cast<std::uint32_t>(access_slots_.size()));
    accesses_.emplace_back();
    access_slots_.push_back(&accesses_.back());
  }
  const std::uint32_t slot = free_accesses_.back();
  free_accesses_.pop_back();
  Access& access = *access_slots_[slot];
  access.number = number_++;
  access.read = command == tlm::TLM_READ_COMMAND;
  access.payload = &context_.pool.allocate(command, address, access.data, bytes, now_ps());
  access.payload->pcie.slot = slot;
  access.payload->source.key = access.number;
  stats_.register_accesses.add();
  return access;
}

void Host::send(Access& access) {
  const Ps now = now_ps();
  const Ps time = std::max(now + 1, next_access_);
  next_access_ = time + params_.register_interval;
  if (!context_.loose()) {
    port_.send(*access.payload, time - now);
    return;
  }
  Ps delay = time - now;
  port_.access(*access.payload, delay);
  memory_response(*access.payload, delay);
}

void Host::read_register(Addr address, unsigned bytes, Answer answer) {
  Access& access = begin_access(tlm::TLM_READ_COMMAND, address, bytes);
  access.answer = std::move(answer);
  send(access);
}

void Host::write_register(Addr address, const void* data, unsigned bytes) {
  Access& access = begin_access(tlm::TLM_WRITE_COMMAND, address, bytes);
  std::memcpy(access.data, data, bytes);
  access.answer = nullptr;
  send(access);
}

void Host::enqueue(Addr address, const void* data, Answer answer) {
  Access& access = begin_access(tlm::TLM_WRITE_COMMAND, address, sizeof access.data);
  std::memcpy(access.data, data, sizeof access.data);
  access.answer = std::move(answer);
  access.deferrable.accepted = false;
  access.payload->set_extension(&access.deferrable);
  send(access);
}

// Called by whoever answers: only queues.
void Host::memory_response(tlm::tlm_generic_payload& payload, Ps delay) {
  const std::uint32_t slot = payload.get_extension<PcieExtension>()->slot;
  push(now_ps() + std::max<Ps>(delay, 1), Work::kAnswer, access_slots_[slot]->number,
       [this, slot] { end_access(slot); });
}

void Host::end_access(std::uint32_t slot) {
  Access& access = *access_slots_[slot];
  std::uint64_t value = 0;
  if (access.payload->is_response_error()) {
    stats_.register_errors.add();
    log_.push_back(
        fmt::format("{}: no answer from the register at {:#x}", name(), access.payload->get_address()));
    value = ~std::uint64_t{0};  // what a CPU reads when nobody answers
  } else if (access.read) {
    std::memcpy(&value, access.data, access.payload->get_data_length());
  } else if (access.payload->get_extension<DeferrableWrite>() != nullptr) {
    value = access.deferrable.accepted ? 1 : 0;
  }
  access.payload->clear_extension<DeferrableWrite>();
  access.payload->release();
  access.payload = nullptr;
  const Answer answer = std::move(access.answer);
  access.answer = nullptr;
  free_accesses_.push_back(slot);
  if (answer) {
    answer(value);
  }
}

// --- interrupts ---

InterruptMessage Host::add_interrupt(Task handler) {
  vectors_.push_back(std::move(handler));
  return InterruptMessage{kInterruptRangeFirst,
                          kFirstVector + static_cast<std::uint32_t>(vectors_.size()) - 1};
}

tlm::tlm_sync_enum Host::nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload,
                                         tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  if (phase == tlm::BEGIN_REQ) {
    b_transport(port, payload, delay);
  }
  return tlm::TLM_COMPLETED;
}

void Host::b_transport(unsigned /*port*/, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  std::uint32_t data = 0;
  if (!payload.is_write() || payload.get_data_length() != sizeof data) {
    payload.set_response_status(tlm::TLM_COMMAND_ERROR_RESPONSE);
    return;
  }
  payload.set_response_status(tlm::TLM_OK_RESPONSE);
  std::memcpy(&data, payload.get_data_ptr(), sizeof data);
  const std::uint32_t vector = data - kFirstVector;
  const Ps due = now_ps() + std::max<Ps>(delay.value(), 1) + params_.interrupt_latency;
  push(due, Work::kInterrupt, data, [this, vector] {
    stats_.interrupts.add();
    if (vector < vectors_.size()) {
      vectors_[vector]();
    } else {
      log_.push_back(fmt::format("{}: spurious interrupt {:#x}", name(), vector + kFirstVector));
    }
  });
}

// --- life of the system ---

void Host::start(const Platform& platform) {
  SVASIM_CHECK(system_ == nullptr, "a host is started once");
  board_ = std::make_unique<StepBoard>(
      [this](const std::string& path, const std::string& field) { return statistic(path, field); });
  const OperatingSystem::Ground ground{name(), context_.seed,        *this,  stats_,
                                       log_,   context_.page_faults, *board_};
  system_ = std::make_unique<OperatingSystem>(ground, params_, platform, [this] {
    done_ = true;
    done_event_.notify(sc_core::SC_ZERO_TIME);
  });
  after(1, [this] { system_->boot(); });
}

std::optional<double> Host::statistic(const std::string& path, const std::string& field) const {
  const StatRegistry& stats = context_.stats;
  if (const auto count = stats.counter_value(path)) return static_cast<double>(*count);
  if (const auto histogram = stats.histogram_value(path)) {
    if (field == "count") return static_cast<double>(histogram->count());
    if (field == "sum") return static_cast<double>(histogram->sum());
    if (histogram->count() == 0) return std::nullopt;
    if (field == "min") return static_cast<double>(histogram->min());
    if (field == "max") return static_cast<double>(histogram->max());
    if (field == "mean") return histogram->mean();
    const unsigned per_mille = field == "p50" ? 500 : field == "p95" ? 950 : 990;
    return static_cast<double>(histogram->percentile(per_mille));
  }
  const auto value = stats.formula_value(path, now_ps());
  return value.has_value() && std::isfinite(*value) ? value : std::nullopt;
}

// --- inspection ---

std::uint64_t Host::work_done() const { return system_ == nullptr ? 0 : system_->work_done(); }

std::uint64_t Host::work_total() const { return system_ == nullptr ? 1 : system_->work_total(); }

std::optional<std::uint64_t> Host::page_life(Addr page) const {
  return system_ == nullptr ? std::nullopt : system_->page_allocator().life(page);
}

std::vector<HostCheck> Host::checks() const {
  return system_ == nullptr ? std::vector<HostCheck>() : system_->checks();
}

std::uint64_t Host::in_flight() const {
  const std::uint64_t count = access_slots_.size() - free_accesses_.size();
  return count + (system_ == nullptr ? 0 : system_->in_flight());
}

void Host::dump_in_flight(std::ostream& out) const {
  for (const Access* access : access_slots_) {
    if (access->payload != nullptr) {
      out << fmt::format("{}: {} of the register at {:#x} waits for its answer\n", name(),
                         access->read ? "read" : "write", access->payload->get_address());
    }
  }
  if (system_ != nullptr) {
    system_->dump_in_flight(out);
  }
}

}  // namespace svasim
