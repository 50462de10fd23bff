#include "base/check.h"
#include "models/walker/order_fifo.h"
#include "models/walker/order_round_robin.h"
#include "models/walker/order_shortest_first.h"
#include "models/walker/walk_order.h"

namespace svasim {

namespace {

template <typename Order>
std::unique_ptr<WalkOrder> make() {
  return std::make_unique<Order>();
}

}  // namespace

const std::vector<WalkOrderEntry>& walk_order_table() {
  static const std::vector<WalkOrderEntry> table = {
      {"fifo", "In order of arrival.", true, make<FifoOrder>},
      {"round_robin", "Devices take turns; of one device in order of arrival.", true, make<RoundRobinOrder>},
      {"shortest_first", "The walk with the fewest entries left to read; long ones may starve.", false,
       make<ShortestFirstOrder>},
  };
  return table;
}

std::vector<std::string> walk_order_names() {
  std::vector<std::string> names;
  for (const WalkOrderEntry& entry : walk_order_table()) {
    names.emplace_back(entry.name);
  }
  return names;
}

std::unique_ptr<WalkOrder> make_walk_order(std::string_view name) {
  for (const WalkOrderEntry& entry : walk_order_table()) {
    if (name == entry.name) {
      return entry.make();
    }
  }
  throw InternalError("no walk order named " + std::string(name));
}

}  // namespace svasim
