#include "sim/component_table.h"

#include <algorithm>

#include "sim/device_components.h"
#include "sim/fabric_components.h"

namespace svasim {
namespace {

// A row of the table.
template <typename Type>
ComponentType row(const char* name, std::vector<Offer> offers, std::vector<TopLevelPart> top_level = {}) {
  return {name, &Type::param_set, std::move(offers), std::move(top_level),
          [](const ConfigNode& node, Problems& problems) {
            return std::unique_ptr<Component>(std::make_unique<Type>(node, problems));
          }};
}

}  // namespace

const std::vector<ComponentType>& component_table() {
  static const std::vector<ComponentType> table = {
      row<AtcComponent>("atc", {{"device side", {"device_port"}, 1, 1}}),
      row<DsaComponent>("dsa", {{"driver side", {"dsa"}, 0, 1}}),
      row<HostComponent>("host", {}, {{"workload", {"processes"}}}),
      row<IommuComponent>("iommu",
                          {{"root ports", {"root_port"}, 1, kAny}, {"driver side", {"iommu"}, 0, 1}}),
      row<LinkComponent>("link", {{"device side", {"device_port", "link"}, 1, 1}}),
      row<ReplayComponent>("linux_replay", {}, {{"dataset", {"dataset"}}}),
      row<MemoryComponent>("memory", {}),
      row<BusComponent>("memory_bus", {{"bus", {"bus"}, 1, kAny}}),
      row<PrqComponent>("page_request_queue", {{"request side", {"page_request_queue"}, 1, 1}}),
      row<TrafficComponent>("traffic", {}),
      row<WalkerComponent>("walker", {{"walk sockets", {"walker"}, 1, kAny}}),
  };
  return table;
}

const ComponentType* find_component_type(const std::string& name) {
  const auto& table = component_table();
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const auto& type) { return type.name == name; });
  return found == table.end() ? nullptr : &*found;
}

}  // namespace svasim
