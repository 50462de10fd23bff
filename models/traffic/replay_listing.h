// Everything a set of translation structures contains: who is bound to what, and every leaf.
//
// Reads whole pages, from a captured image or from simulated memory, and does not care which.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/trace_image.h"
#include "base/types.h"
#include "models/formats/page_table_format.h"

namespace svasim {

using TablePage = std::array<std::uint64_t, kPageSize / 8>;

class TableSource {
 public:
  virtual ~TableSource() = default;
  // The page at this address. Pages that hold no structure read as zeros.
  virtual void read_page(Addr address, TablePage& page) const = 0;
};

class ImageSource : public TableSource {
 public:
  explicit ImageSource(const TableImage& image) : image_(image) {}
  void read_page(Addr address, TablePage& page) const override;

 private:
  const TableImage& image_;
};

// The tables one domain translates with.
struct DomainTables {
  TableStage stage = TableStage::kFirst;
  unsigned levels = 0;  // 0: none (pass-through)
  Addr root = 0;
};

// One present context entry (legacy mode) or PASID-table entry (scalable mode).
struct TableBinding {
  RequesterId requester;
  Pasid pasid;  // 0 in legacy mode
  bool scalable = false;
  bool for_plain = true;  // plain requests use it: legacy mode, or the PASID is RID_PASID
  DomainId domain;
  DomainTables tables;
  Addr entry = 0;  // where the entry lies
};

struct TableLeaf {
  Addr iova = 0;
  Addr address = 0;
  std::uint8_t page_shift = 0;
  std::uint64_t entry = 0;

  Addr end() const { return iova + (std::uint64_t{1} << page_shift); }
};

// The bindings reachable from RTADDR, by requester and PASID. MODEL: nested entries are listed with
// their second stage only.
std::vector<TableBinding> list_bindings(std::uint64_t rtaddr, const TableSource& source);

// Every present leaf, by address.
void list_leaves(const DomainTables& tables, const TableSource& source,
                 const std::function<void(const TableLeaf&)>& visit);

// The format of a domain's tables, without limits of a particular remapping unit.
const PageTableFormat& format_of(const DomainTables& tables);

}  // namespace svasim
