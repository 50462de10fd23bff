#include "models/host/dma_view.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace svasim {

// --- pages ---

// Brings in what is missing first. MODEL: by touching it, as get_user_pages does.
void DmaView::map(const Part& part, Mapped done) {
  ++under_way_;
  std::uint64_t missing = 0;
  for (Addr at = part.start & ~(kPageSize - 1); at < part.start + part.length; at += kPageSize) {
    missing += memory_.is_accessible(at, part.write) ? 0 : 1;
  }
  if (missing == 0) return map_touched(part, done);
  machine_.after(missing * page_fault_time_,
                 [this, part, done = std::move(done)] { map_touched(part, done); });
}

void DmaView::map_touched(const Part& part, const Mapped& done) {
  const Addr first = part.start & ~(kPageSize - 1);
  std::vector<Addr> pages;
  FaultResult fault = FaultResult::kAlreadyMapped;
  for (Addr at = first; at < part.start + part.length && is_handled(fault); at += kPageSize) {
    fault = memory_.fault(at, !part.write, part.write);
    if (is_handled(fault)) {
      pages.push_back(memory_.translate(at));
      pages_.share(pages.back());
    }
  }
  if (!is_handled(fault)) {
    unpin(pages);
    done(fault == FaultResult::kNoMemory ? Errno::kNoMemory : Errno::kFault, 0, 0);
    return ended();
  }
  api_.map(pages, part.write, [this, pages, part, first, done](Errno error, Addr iova) {
    std::uint64_t number = 0;
    if (error == Errno::kNone) {
      number = next_++;
      mappings_.emplace(number, Mapping{iova, pages});
    } else {
      unpin(pages);
    }
    done(error, number, iova + (part.start - first));
    ended();
  });
}

void DmaView::unmap(std::uint64_t number, Task done) {
  ++under_way_;
  const auto found = mappings_.find(number);
  SVASIM_CHECK(found != mappings_.end(), "a mapping is undone twice");
  const Mapping mapping = std::move(found->second);
  mappings_.erase(found);
  api_.unmap(mapping.iova, mapping.pages.size() * kPageSize,
             [this, pages = mapping.pages, done = std::move(done)] {
               unpin(pages);
               done();
               ended();
             });
}

void DmaView::unpin(const std::vector<Addr>& pages) {
  for (const Addr page : pages) pages_.free(page);
}

void DmaView::ended() {
  --under_way_;
  if (under_way_ == 0 && closing_) close(std::exchange(closing_, nullptr));
}

// --- operations ---

bool DmaView::is_ready(Job& job) const {
  const auto source = kept(job.from.start, job.from.length);
  const auto destination = kept(job.to.start, job.to.length);
  job.source = source.value_or(0);
  job.destination = destination.value_or(0);
  return source.has_value() && destination.has_value();
}

void DmaView::begin(Job& job, Result ready) {
  if (closed_) return ready(Errno::kInvalid);
  if (!kept(job.from.start, job.from.length).has_value() && job.mapped_from == 0) {
    map(job.from, [this, &job, ready = std::move(ready)](Errno error, std::uint64_t number, Addr at) {
      if (error != Errno::kNone) return ready(error);
      job.mapped_from = number;
      job.source = at;
      begin(job, ready);
    });
    return;
  }
  if (!kept(job.to.start, job.to.length).has_value()) {
    map(job.to, [this, &job, ready = std::move(ready)](Errno error, std::uint64_t number, Addr at) {
      if (error != Errno::kNone) return end(job, [ready, error] { ready(error); });
      job.mapped_to = number;
      job.destination = at;
      ready(Errno::kNone);
    });
    return;
  }
  ready(Errno::kNone);
}

void DmaView::end(Job& job, Task done) {
  for (std::uint64_t* mapping : {&job.mapped_to, &job.mapped_from}) {
    if (*mapping != 0 && !closed_) {
      unmap(std::exchange(*mapping, 0), [this, &job, done = std::move(done)] { end(job, done); });
      return;
    }
  }
  done();
}

// --- mappings that stay ---

std::optional<Addr> DmaView::kept(Addr start, std::uint64_t length) const {
  if (length == 0) return Addr{0};
  const auto behind = kept_.upper_bound(start);
  if (behind == kept_.begin()) return std::nullopt;
  const auto& [first, found] = *std::prev(behind);
  if (start + length > found.end) return std::nullopt;
  return found.iova + (start - first);
}

void DmaView::keep(const Part& part, Result result) {
  const Addr end = part.start + part.length;
  for (auto each = kept_.begin(); each != kept_.end();) {
    const bool overlaps = each->first < end && part.start < each->second.end;
    if (overlaps && each->second.mapping != 0) return result(Errno::kBusy);
    each = overlaps ? kept_.erase(each) : std::next(each);
  }
  map(part, [this, part, end, result = std::move(result)](Errno error, std::uint64_t number, Addr iova) {
    if (error == Errno::kNone) kept_[part.start] = {end, iova, number};
    result(error);
  });
}

void DmaView::drop(Addr start, Result result) {
  const auto found = kept_.find(start);
  if (found == kept_.end() || found->second.mapping == 0) return result(Errno::kInvalid);
  unmap(std::exchange(found->second.mapping, 0), [result = std::move(result)] { result(Errno::kNone); });
}

void DmaView::close(Task done) {
  if (under_way_ != 0) {
    closing_ = std::move(done);
    return;
  }
  closed_ = true;
  kept_.clear();
  if (mappings_.empty()) return done();
  unmap(mappings_.begin()->first, [this, done = std::move(done)]() mutable { closing_ = std::move(done); });
}

}  // namespace svasim
