// The names scripts use for registers, descriptors and table entries, with the bits behind them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/formats/vtd_invalidation.h"

namespace svasim {

// Bits hi:lo, counted through the whole structure.
struct FieldName {
  const char* name;
  unsigned hi;
  unsigned lo;
  bool address;  // given and shown as an address, not shifted down

  std::uint64_t mask() const;  // of the value
  std::uint64_t get(const std::vector<std::uint64_t>& words) const;
  void set(std::vector<std::uint64_t>& words, std::uint64_t value) const;
};
using FieldNames = std::vector<FieldName>;
const FieldName* find_field(const FieldNames& fields, const std::string& name);
std::vector<std::string> names_of(const FieldNames& fields);

struct RegisterName {
  // Where its offset comes from: itself, CAP.FRO (fault records, 16 bytes apart), ECAP.IRO.
  enum class Base { kFixed, kFaultRecords, kIotlb };
  const char* name;
  std::uint32_t offset;
  unsigned bytes;  // 4, 8, or 16 for a fault record
  Base base;
  FieldNames fields;
};
const std::vector<RegisterName>& script_registers();
const RegisterName* find_script_register(const std::string& name);

struct DescriptorName {
  const char* name;
  InvalidationType type;
  FieldNames fields;
};
const std::vector<DescriptorName>& script_descriptors();
const DescriptorName* find_script_descriptor(const std::string& name);

const FieldNames& legacy_context_fields();
const FieldNames& scalable_context_fields();
const FieldNames& pasid_entry_fields();

}  // namespace svasim
