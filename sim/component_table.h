// All component types there are.
#pragma once

#include <string>
#include <vector>

#include "sim/component.h"

namespace svasim {

// Sorted by name.
const std::vector<ComponentType>& component_table();

// nullptr when there is no such type.
const ComponentType* find_component_type(const std::string& name);

}  // namespace svasim
