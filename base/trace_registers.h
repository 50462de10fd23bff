// Reader of register dumps: what a monitor showed of the remapping registers at a snapshot. Format in
// traces/FORMAT.md.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/archive_source.h"

namespace svasim {

// By offset from the first register.
class RegisterDump {
 public:
  // Throws InputError with file, line and reason.
  RegisterDump(std::unique_ptr<ByteStream> stream, const std::string& name);

  const std::string& name() const { return name_; }
  // False when the dump does not show it.
  bool read32(std::uint32_t offset, std::uint64_t& value) const;
  bool read64(std::uint32_t offset, std::uint64_t& value) const;

 private:
  std::string name_;
  std::map<std::uint64_t, std::uint32_t> words_;
};

}  // namespace svasim
