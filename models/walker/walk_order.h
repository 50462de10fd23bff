// In which order walks that wait get the slots of a walker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace svasim {

// A walk that waits, as an order sees it.
struct WaitingWalk {
  std::uint64_t device = 0;  // who the walk is made for
  unsigned reads = 0;        // entries it reads at most, from where it starts
};

// Contract: next() names the walk that gets a slot now, by its place in `waiting`, which is not empty and in
// order of arrival. An order that remembers whom it served does so there; it depends on nothing else.
class WalkOrder {
 public:
  virtual ~WalkOrder() = default;
  virtual std::size_t next(const std::vector<WaitingWalk>& waiting) = 0;
};

// One row of the table of orders: add an order by adding its file and its row.
struct WalkOrderEntry {
  const char* name;
  const char* description;
  bool fair;  // every walk gets its slot sometime, whatever else keeps arriving
  std::unique_ptr<WalkOrder> (*make)();
};

// All orders, in the order in which they are listed.
const std::vector<WalkOrderEntry>& walk_order_table();

// Names for a parameter's choices.
std::vector<std::string> walk_order_names();

// Throws InternalError for a name that is not in the table: parameters check it before.
std::unique_ptr<WalkOrder> make_walk_order(std::string_view name);

}  // namespace svasim
