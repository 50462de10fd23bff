// The host's side of the translation structures during a replay: loads those of a captured image and
// edits them as the driver did.
#pragma once

#include <bitset>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/trace_image.h"
#include "base/types.h"
#include "models/traffic/replay_listing.h"

namespace svasim {

// Stores to memory in the order the host makes them; neighbours are merged.
class TableWrites {
 public:
  struct Span {
    Addr address = 0;
    std::size_t first = 0;  // in words()
    std::size_t count = 0;  // of 64-bit words, within one page
  };

  void add(Addr address, std::uint64_t word);
  void clear() {
    spans_.clear();
    words_.clear();
  }
  bool empty() const { return spans_.empty(); }
  const std::vector<Span>& spans() const { return spans_; }
  const std::vector<std::uint64_t>& words() const { return words_; }

 private:
  std::vector<Span> spans_;
  std::vector<std::uint64_t> words_;
};

// Flag bits of a leaf as the trace shows them: bits 11:0 and 63 without the large-page bit. When no
// access shows them, the format's full rights are used, less what a fault showed to be missing.
struct LeafFlags {
  bool known = false;
  std::uint64_t bits = 0;
  bool no_read = false;
  bool no_write = false;
};

// What an address of a domain leads to.
struct TableLookup {
  bool present = false;
  TableLeaf leaf;
  bool read = false;  // rights over all levels, for a plain request
  bool write = false;
};

// WHY a copy of all tables: it is the kernel's own view of memory it alone writes, apart from
// accessed and dirty bits, which nothing here depends on.
//
// WHY moved: Linux frees table pages and gives them to drivers as buffers. A replay does not know
// which, so it keeps its tables where no captured DMA goes, and never frees one. The tables' contents
// are the captured ones apart from the addresses of tables.
class HostTables : public TableSource {
 public:
  // Table pages are placed from `base` up.
  explicit HostTables(Addr base) : base_(base), next_(base) {}

  // Starts anew from an image; `writes` gets every page. Throws InputError naming `name` when an entry
  // points to a page the image does not have.
  void load(const TableImage& image, const std::string& name, TableWrites& writes);

  std::uint64_t rtaddr() const { return rtaddr_; }
  bool scalable() const { return scalable_; }
  // First address behind the pages in use.
  Addr end() const { return next_; }
  // Pages for the host's other structures.
  Addr allocate_pages(unsigned count);

  // The entry that plain requests of a device (or requests with this PASID) use; nullptr: none.
  const TableBinding* binding(RequesterId requester, bool has_pasid, Pasid pasid) const;
  const std::vector<TableBinding>& bindings() const { return bindings_; }
  // nullptr: the domain is not known.
  const DomainTables* domain(DomainId domain) const;
  const std::map<std::uint16_t, DomainTables>& domains() const { return domains_; }
  // Gives a domain seen for the first time empty tables of the kind most domains have.
  void add_domain(DomainId domain, TableWrites& writes);
  // Lets a device use another domain.
  void rebind(const TableBinding& binding, DomainId domain, TableWrites& writes);

  // Ranges the tables cannot hold are ignored by both: accesses to them show what that means.
  //
  // Maps with the largest pages that alignment, size and the captured capabilities allow. Leaves that
  // were in the way are appended to `replaced`.
  void map(DomainId domain, Addr iova, std::uint64_t size, Addr address, LeafFlags flags, TableWrites& writes,
           std::vector<TableLeaf>& replaced);
  // Clears every leaf that overlaps the range and appends it to `removed`. Tables stay.
  void unmap(DomainId domain, Addr iova, std::uint64_t size, TableWrites& writes,
             std::vector<TableLeaf>& removed);

  TableLookup lookup(const DomainTables& tables, Addr iova) const;
  // Whether the trace has shown the rights of the leaf that maps this address.
  bool flags_known(const DomainTables& tables, Addr iova) const;

  void read_page(Addr address, TablePage& page) const override;

 private:
  struct Page {
    TablePage words{};
    std::bitset<kPageSize / 8> guessed;  // leaves whose flags the trace does not show
  };
  struct Place {  // of an entry
    Addr address = 0;
    unsigned level = 0;
  };

  std::uint64_t& word(Addr address);
  std::uint64_t word(Addr address) const;
  void store(Addr address, std::uint64_t value, TableWrites& writes);
  Addr new_table(TableWrites& writes);
  // The entry where the way to `iova` ends: a leaf, or not present.
  Place find(const DomainTables& tables, Addr iova) const;
  Addr descend(const DomainTables& tables, Addr iova, unsigned level, TableWrites& writes,
               std::vector<TableLeaf>& replaced);
  void clear_below(const DomainTables& tables, Addr entry, unsigned level, Addr iova, TableWrites& writes,
                   std::vector<TableLeaf>& removed);
  std::uint64_t leaf_entry(const DomainTables& tables, Addr address, unsigned level, LeafFlags flags) const;
  std::uint64_t table_entry(const DomainTables& tables, Addr table) const;
  unsigned page_level(const DomainTables& tables, Addr iova, Addr address, std::uint64_t size) const;

  Addr base_;
  Addr next_;
  std::uint64_t rtaddr_ = 0;
  bool scalable_ = false;
  std::uint64_t cap_ = 0;
  std::uint64_t leaf_xd_ = 0;  // XD, if the driver sets it in first-stage leaves
  std::unordered_map<Addr, std::unique_ptr<Page>> pages_;
  std::map<std::uint16_t, DomainTables> domains_;
  std::vector<TableBinding> bindings_;
  // The table an entry pointed to before a large page took its place: used again for that entry only,
  // so that a paging-structure cache cannot be misled.
  std::unordered_map<Addr, Addr> shelved_;
};

}  // namespace svasim
