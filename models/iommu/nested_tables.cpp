// What nested walks ask and tell.
#include "models/iommu/iommu.h"

namespace svasim {

// WHY nothing with an outdated context: the tables cached by now may be those of another second stage.
void Iommu::answer_table_query(Walk& walk) {
  WalkExtension& extension = walk.payload.walk;
  if (walk.no_fill) {
    extension.tables.start = WalkResult::Step();
  } else {
    translator_.learn_second_tables(walk.space, extension.tables, walk.born);
    translator_.find_second_table(walk.space, extension.tables);
  }
  extension.attribution.charge(Stage::kIommuLookup, extension.attribution.mark() + params_.paging_latency);
}

// Those of the last second-stage walk, with the result.
void Iommu::learn_second_tables(const Walk& walk) {
  if (!walk.no_fill) {
    translator_.learn_second_tables(walk.space, walk.payload.walk.tables, walk.born);
  }
}

}  // namespace svasim
