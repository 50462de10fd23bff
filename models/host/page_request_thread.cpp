#include "models/host/page_request_thread.h"

#include <fmt/format.h>

#include <utility>

#include "models/formats/vtd_registers.h"
#include "models/host/io_translation.h"

namespace svasim {

PageRequestThread::PageRequestThread(Driver driver, Machine& machine, PageAllocator& pages,
                                     const HostParams& params, HostStats& stats, HostLog& log)
    : driver_(std::move(driver)),
      machine_(machine),
      params_(params),
      stats_(stats),
      log_(log),
      bytes_(VtdPqa::bytes(params.faults.queue_order)),
      queue_(pages.needed(pages.allocate_contiguous(bytes_ / kPageSize), "a page request queue")) {
  for (std::uint64_t at = 0; at < bytes_; at += kPageSize) machine_.memory().zero_page(queue_ + at);
}

// SPEC: [VTD 7.5]
void PageRequestThread::set_up(Script& script, PageRequestSink& sink) {
  sink_ = &sink;
  script.write64(reg(vtd_reg::kPqh), 0)
      .write64(reg(vtd_reg::kPqt), 0)
      .write64(reg(vtd_reg::kPqa),
               VtdPqa::PQA::in_place(queue_) | VtdPqa::PQS::make(params_.faults.queue_order));
}

void PageRequestThread::on_event() {
  if (reading_) {
    event_pending_ = true;
    return;
  }
  reading_ = true;
  read_pointers();
}

void PageRequestThread::read_pointers() {
  // PPR is cleared first: a request that comes later raises the event again.
  machine_.write_register32(reg(vtd_reg::kPrs), static_cast<std::uint32_t>(VtdPrs::PPR::kMask));
  machine_.read_register(reg(vtd_reg::kPqt), 8, [this](std::uint64_t tail) {
    tail_ = VtdPqTail::OFFSET::in_place(tail);
    machine_.read_register(reg(vtd_reg::kPqh), 8, [this](std::uint64_t head) {
      head_ = VtdPqHead::OFFSET::in_place(head);
      take();
    });
  });
}

PageRequest PageRequestThread::read_at(std::uint64_t offset) {
  PageRequestDescriptor descriptor{};
  machine_.memory().read(queue_ + offset, descriptor.data(), sizeof descriptor);
  return decode_page_request(descriptor);
}

void PageRequestThread::take() {
  if (head_ == tail_) {
    taken();
    return;
  }
  machine_.after(params_.faults.queue_read_time, [this] {
    const PageRequest request = read_at(head_);
    head_ = (head_ + kPageRequestDescriptorBytes) & (bytes_ - 1);
    stats_.page_requests.add();
    if (request.is_stop_marker()) {
      // Nobody asked, nobody answers.
    } else if (is_malformed(request) || !driver_.knows(request.requester)) {
      log_.push_back(fmt::format("{}: malformed page request of {} for {:#x}", driver_.name,
                                 to_string(request.requester), request.page));
      stats_.bad_faults.add();
      if (request.last) driver_.refuse(request);
    } else if (sink_->page_request(driver_.index, request) != Errno::kNone && request.last) {
      driver_.refuse(request);
    }
    take();
  });
}

// SPEC: [LINUX prq_event_thread]: what the driver answers itself.
bool PageRequestThread::is_malformed(const PageRequest& request) const {
  const unsigned sign = params_.sva.paging_levels == 5 ? 56 : 47;
  const Addr upper = request.page >> sign;
  const bool canonical = upper == 0 || upper == ~Addr{0} >> sign;
  return !canonical || (request.privileged && (request.read || request.write)) ||
         (request.execute && request.read);
}

void PageRequestThread::taken() {
  machine_.write_register64(reg(vtd_reg::kPqh), head_);
  machine_.read_register(reg(vtd_reg::kPrs), 4, [this](std::uint64_t status) {
    if (VtdPrs::PRO::get(status) != 0) {
      check_overflow();
      return;
    }
    reading_ = false;
    if (event_pending_) {
      event_pending_ = false;
      on_event();
    }
  });
}

// Overflow is cleared only when the queue is empty; what is left of groups then never completes.
void PageRequestThread::check_overflow() {
  machine_.read_register(reg(vtd_reg::kPqt), 8, [this](std::uint64_t tail) {
    tail_ = VtdPqTail::OFFSET::in_place(tail);
    if (tail_ != head_) {
      take();
      return;
    }
    stats_.overflows.add();
    sink_->page_requests_lost(driver_.index);
    machine_.write_register32(reg(vtd_reg::kPrs), static_cast<std::uint32_t>(VtdPrs::PRO::kMask));
    // WHY once more: a request that came while PRO was set but PPR too raised no event of its own.
    read_pointers();
  });
}

void PageRequestThread::scan(RequesterId device, Pasid pasid, const Task& next) {
  machine_.read_register(reg(vtd_reg::kPqt), 8, [=](std::uint64_t tail) {
    machine_.read_register(reg(vtd_reg::kPqh), 8, [=](std::uint64_t head) {
      const std::uint64_t end = VtdPqTail::OFFSET::in_place(tail);
      for (std::uint64_t at = VtdPqHead::OFFSET::in_place(head); at != end;
           at = (at + kPageRequestDescriptorBytes) & (bytes_ - 1)) {
        const PageRequest request = read_at(at);
        if (request.requester == device && (request.has_pasid ? request.pasid : kNoPasid) == pasid) {
          machine_.after(params_.faults.queue_read_time, [=] { scan(device, pasid, next); });
          return;
        }
      }
      next();
    });
  });
}

}  // namespace svasim
