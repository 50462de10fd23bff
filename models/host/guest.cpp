#include "models/host/guest.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/check.h"
#include "models/formats/vtd_second_stage.h"

namespace svasim {

namespace {

HostParams guest_view(const HostParams& host, const GuestParams& own) {
  HostParams view = host;
  view.faults = own.faults;
  return view;
}

ProcessKernel::Ground guest_ground(const ProcessKernel::Ground& host, const GuestParams& own,
                                   Machine& machine, PageFaultLog& journeys) {
  return {host.name + "." + own.name, host.seed, machine, host.stats, host.log, journeys, host.board};
}

// The smallest span that holds all pages.
AddressSpan around(const std::vector<Addr>& pages) {
  const auto [low, high] = std::minmax_element(pages.begin(), pages.end());
  return {*low, *high + kPageSize};
}

}  // namespace

GuestHardware::GuestHardware(const VirtualIommu::Host& host, PageAllocator& host_pages,
                             const GuestParams& own, const Platform& platform, DomainId id, GuestStats& stats)
    : vm(own),
      guest_machine(host.machine, vm, stats),
      second_stage(make_vtd_second_stage(4, PageFormatOptions{})),
      domain(id, second_stage, host.machine.memory(), host_pages),
      guest_memory(domain, host.machine.memory(), host_pages, vm.memory_size, vm.huge(), vm.name),
      iommu(host, vm, platform, guest_machine, domain, stats) {
  guest_machine.set_memory(guest_memory);
}

Guest::Guest(const Ground& ground, const HostParams& params, const GuestParams& own,
             const std::vector<ProcessParams>& processes, const Platform& platform,
             const MakeOpening& make_opening, const VirtualIommu::Host& host, PageAllocator& host_pages,
             DomainId id)
    : GuestHardware(host, host_pages, own, platform, id, ground.stats.guests),
      ProcessKernel(guest_ground(ground, own, guest_machine, no_journeys), guest_view(params, own), platform,
                    {GuestMemory::kBase, own.memory_size, ground.name + ".guests." + own.name}, iommu),
      host_pages_(host_pages) {
  iommu.start(faults_, guest_memory, pages_, params_.sva.paging_levels);
  make_programs(processes, make_opening);
}

// --- life ---

void Guest::run(const std::vector<SvaDeviceInfo>& devices, Task ended) {
  over_ = std::move(ended);
  for (const SvaDeviceInfo& info : devices) {
    const unsigned number = sva_.add_device(info);
    if (info.page_requests) static_cast<void>(sva_.enable(number, SvaFeature::kIopf, [] {}));
    if (const Errno error = sva_.enable(number, SvaFeature::kSva, [] {}); error != Errno::kNone) {
      log_.push_back(name_ + ": SVA of " + info.name + " cannot be enabled: " + errno_name(error));
    }
  }
  run_programs([this] {
    if (!params_.teardown) {
      state_ = State::kGone;
      over_();
    } else if (state_ == State::kRunning) {
      end(over_);
    }
  });
}

void Guest::destroy(Result result) {
  if (state_ != State::kRunning) {
    result(Errno::kNoEntry);
    return;
  }
  kill_programs();
  stats_.guests.destroyed.add();
  end([this, result] {
    result(Errno::kNone);
    over_();
  });
}

// Page requests are answered first: a work queue is disabled only when its descriptors have ended.
void Guest::end(Task done) {
  state_ = State::kEnding;
  guest_machine.stop([this, done = std::move(done)] {
    iommu.refuse_page_requests();
    close_queues([this, done] {
      iommu.detach_all([this, done] {
        for (const Platform::Dsa& device : platform_.devices) faults_.remove_device(0, device.requester);
        guest_memory.release();
        state_ = State::kGone;
        done();
      });
    });
  });
}

void Guest::close_queues(Task done) {
  if (enabled_.empty()) {
    done();
    return;
  }
  const Opening& opening = *enabled_.back();
  enabled_.pop_back();
  // WHY without PASID: the host copies no completion records to guests.
  opening.driver->close(opening.queue, std::nullopt, [this, &opening, done = std::move(done)] {
    opening.driver->give_back(opening.queue);
    close_queues(done);
  });
}

std::uint64_t Guest::in_flight() const {
  const std::uint64_t hosts = iommu.in_flight() + guest_machine.calls();
  return state_ == State::kRunning ? hosts + faults_.in_flight() + programs_in_flight() : hosts;
}

void Guest::dump_in_flight(std::ostream& out) const {
  iommu.dump_in_flight(name_, out);
  if (state_ != State::kRunning) return;
  faults_.dump_in_flight(name_, out);
  dump_programs(out);
}

// --- work queues ---

void Guest::open_queue(Opening& opening, Task done) {
  guest_machine.call_host(
      [this, &opening](const Task& answered) {
        const Pasid pasid = iommu.host_pasid(opening.device, sva_.get_pasid(opening.bond));
        enabled_.push_back(&opening);
        opening.driver->open(
            opening.queue, {pasid, false, opening.faults() == DsaDriver::Faults::kBlock, nullptr}, answered);
      },
      std::move(done));
}

void Guest::close_queue(Opening& opening, Task done) {
  guest_machine.call_host(
      [this, &opening](const Task& answered) {
        enabled_.erase(std::remove(enabled_.begin(), enabled_.end(), &opening), enabled_.end());
        opening.driver->close(opening.queue, std::nullopt, answered);
      },
      std::move(done));
}

// --- memory ---

// SPEC: [LINUX drivers/virtio/virtio_balloon.c]
void Guest::inflate(std::uint64_t count, Moved moved) {
  auto pages = std::make_shared<std::vector<Addr>>();
  while (pages->size() < count) {
    const auto page = pages_.allocate();
    if (!page.has_value()) {
      for (const Addr each : *pages) pages_.free(each);
      moved(Errno::kNoMemory, 0);
      return;
    }
    pages->push_back(*page);
  }
  balloon_.insert(balloon_.end(), pages->begin(), pages->end());
  const auto gone = std::make_shared<std::uint64_t>(0);
  guest_machine.call_host(
      [this, pages, gone](const Task& answered) {
        take(*pages, answered, [gone](Errno, std::uint64_t taken) { *gone = taken; });
      },
      [gone, moved = std::move(moved)] { moved(Errno::kNone, *gone); });
}

void Guest::deflate(std::uint64_t count, Moved moved) {
  const auto pages = std::make_shared<std::vector<Addr>>();
  while (pages->size() < count && !balloon_.empty()) {
    pages->push_back(balloon_.back());
    balloon_.pop_back();
  }
  const auto back = std::make_shared<std::size_t>(0);
  guest_machine.call_host(
      [this, pages, back](const Task& answered) {
        for (const Addr page : *pages) {
          if (!guest_memory.find(page).has_value() && !guest_memory.restore(page)) break;
          ++*back;
        }
        stats_.guests.pages_given_back.add(*back);
        answered();
      },
      [this, pages, back, moved = std::move(moved)] {
        for (std::size_t i = 0; i < pages->size(); ++i) {
          i < *back ? pages_.free((*pages)[i]) : balloon_.push_back((*pages)[i]);
        }
        moved(*back == pages->size() ? Errno::kNone : Errno::kNoMemory, *back);
      });
}

// SPEC: [LINUX drivers/vfio/vfio_iommu_type1.c unmap], [VTD Table 28]: nobody has a page any more before it
// is used again.
void Guest::take(const std::vector<Addr>& pages, const Task& answered, const Moved& moved) {
  std::vector<Addr> taken;
  for (const Addr page : pages) {
    if (const auto host = guest_memory.take(page)) taken.push_back(*host);
  }
  stats_.guests.pages_taken.add(taken.size());
  moved(Errno::kNone, taken.size());
  if (pages.empty()) {
    answered();
    return;
  }
  domain.invalidate(around(pages), [this, taken = std::move(taken), answered] {
    for (const Addr page : taken) host_pages_.free(page);
    answered();
  });
}

std::vector<Addr> Guest::guest_pages(const ProcessMemory& space, AddressSpan span) {
  std::vector<Addr> pages;
  for (Addr at = span.start; at < span.end; at += kPageSize) {
    if (space.is_resident(at)) pages.push_back(space.translate(at));
  }
  return pages;
}

void Guest::evict(const ProcessMemory& space, AddressSpan span, Moved moved) {
  const auto gone = std::make_shared<std::uint64_t>(0);
  guest_machine.call_host(
      [this, &space, span, gone](const Task& answered) {
        take(guest_pages(space, span), answered, [gone](Errno, std::uint64_t taken) { *gone = taken; });
      },
      [gone, moved = std::move(moved)] { moved(Errno::kNone, *gone); });
}

// The guest's CPUs find the old page until the new one is there; its devices neither in between.
void Guest::migrate(const ProcessMemory& space, AddressSpan span, Moved moved) {
  struct Move {
    Addr page;
    Addr target;
  };
  const auto moves = std::make_shared<std::vector<Move>>();
  guest_machine.call_host(
      [this, &space, span, moves](const Task& answered) {
        std::vector<Addr> pages;
        for (const Addr page : guest_pages(space, span)) {
          if (!guest_memory.find(page).has_value()) continue;
          const auto target = host_pages_.allocate();
          if (!target.has_value()) break;
          if (!guest_memory.block(page)) {
            host_pages_.free(*target);
            break;
          }
          moves->push_back({page, *target});
          pages.push_back(page);
        }
        if (pages.empty()) {
          answered();
          return;
        }
        domain.invalidate(around(pages), [this, moves, answered] {
          for (const Move& move : *moves) host_pages_.free(guest_memory.move(move.page, move.target));
          stats_.guests.pages_migrated.add(moves->size());
          answered();
        });
      },
      [moves, moved = std::move(moved)] { moved(Errno::kNone, moves->size()); });
}

}  // namespace svasim
