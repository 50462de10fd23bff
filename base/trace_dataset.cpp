#include "base/trace_dataset.h"

#include <algorithm>

#include "base/input_error.h"

namespace svasim {
namespace {

constexpr const char* kTrace = "dma.trace";
const std::string kImagePrefix = "tables.";
const std::string kImageSuffix = ".img";

std::string image_member(const std::string& snapshot) { return kImagePrefix + snapshot + kImageSuffix; }
std::string mappings_member(const std::string& snapshot) { return "mappings." + snapshot + ".txt"; }
std::string registers_member(const std::string& snapshot) { return "regs." + snapshot + ".txt"; }

}  // namespace

TraceDataset::TraceDataset(const std::string& path) : source_(path) {
  if (!source_.has(kTrace)) throw InputError(source_.path(), 0, std::string("holds no ") + kTrace);
  for (const std::string& member : source_.members()) {
    const std::size_t fixed = kImagePrefix.size() + kImageSuffix.size();
    if (member.size() > fixed && member.compare(0, kImagePrefix.size(), kImagePrefix) == 0 &&
        member.compare(member.size() - kImageSuffix.size(), kImageSuffix.size(), kImageSuffix) == 0) {
      snapshots_.push_back(member.substr(kImagePrefix.size(), member.size() - fixed));
    }
  }
}

TraceReader TraceDataset::trace() const { return TraceReader(source_.open(kTrace), source_.name_of(kTrace)); }

bool TraceDataset::has_image(const std::string& snapshot) const {
  return source_.has(image_member(snapshot));
}

TableImage TraceDataset::image(const std::string& snapshot) const {
  const std::string member = image_member(snapshot);
  return read_table_image(*source_.open(member), source_.name_of(member));
}

std::string TraceDataset::image_name(const std::string& snapshot) const {
  return source_.name_of(image_member(snapshot));
}

bool TraceDataset::has_mappings(const std::string& snapshot) const {
  return source_.has(mappings_member(snapshot));
}

bool TraceDataset::has_registers(const std::string& snapshot) const {
  return source_.has(registers_member(snapshot));
}

RegisterDump TraceDataset::registers(const std::string& snapshot) const {
  const std::string member = registers_member(snapshot);
  return {source_.open(member), source_.name_of(member)};
}

MappingReader TraceDataset::mappings(const std::string& snapshot) const {
  const std::string member = mappings_member(snapshot);
  return MappingReader(source_.open(member), source_.name_of(member));
}

}  // namespace svasim
