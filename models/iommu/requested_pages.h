// Pages that devices have sent page requests for.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "models/iommu/request.h"

namespace svasim {

// The translation request that follows the response finds its page here, once.
//
// MODEL: the last kPages are known; older ones are forgotten, and their walks count as demand.
class RequestedPages {
 public:
  static constexpr std::size_t kPages = 64;

  void remember(const Request& r) {
    if (std::find(pages_.begin(), pages_.begin() + static_cast<std::ptrdiff_t>(used_), page_of(r)) !=
        pages_.begin() + static_cast<std::ptrdiff_t>(used_)) {
      return;
    }
    if (used_ < kPages) {
      pages_[used_++] = page_of(r);
    } else {
      std::rotate(pages_.begin(), pages_.begin() + 1, pages_.end());
      pages_.back() = page_of(r);
    }
  }
  bool take(const Request& r) {
    const auto end = pages_.begin() + static_cast<std::ptrdiff_t>(used_);
    const auto found = std::find(pages_.begin(), end, page_of(r));
    if (found == end) return false;
    std::move(found + 1, end, found);
    --used_;
    return true;
  }

 private:
  struct Page {
    Addr page = 0;
    RequesterId requester;
    bool has_pasid = false;
    Pasid pasid;
    bool operator==(const Page& other) const {
      return page == other.page && requester == other.requester && has_pasid == other.has_pasid &&
             pasid == other.pasid;
    }
  };
  static Page page_of(const Request& r) {
    return {r.iova & ~(kPageSize - 1), r.requester, r.has_pasid, r.has_pasid ? r.pasid : Pasid()};
  }

  std::array<Page, kPages> pages_{};  // in order of their requests
  std::size_t used_ = 0;
};

}  // namespace svasim
