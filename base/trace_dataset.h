// A capture: a trace, table images and mapping lists under one path.
#pragma once

#include <string>
#include <vector>

#include "base/archive_source.h"
#include "base/trace_capture.h"
#include "base/trace_image.h"
#include "base/trace_mappings.h"
#include "base/trace_registers.h"

namespace svasim {

class TraceDataset {
 public:
  // A folder, or an archive of one. Throws InputError when it is not readable or holds no trace.
  explicit TraceDataset(const std::string& path);

  const std::string& path() const { return source_.path(); }
  TraceReader trace() const;

  // Names of the snapshots that have an image, sorted.
  const std::vector<std::string>& snapshots() const { return snapshots_; }
  bool has_image(const std::string& snapshot) const;
  TableImage image(const std::string& snapshot) const;
  // How messages name it.
  std::string image_name(const std::string& snapshot) const;
  bool has_mappings(const std::string& snapshot) const;
  MappingReader mappings(const std::string& snapshot) const;
  bool has_registers(const std::string& snapshot) const;
  RegisterDump registers(const std::string& snapshot) const;

 private:
  ArchiveSource source_;
  std::vector<std::string> snapshots_;
};

}  // namespace svasim
