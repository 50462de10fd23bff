// Whether what a capture says about its tables is consistent, before anything is replayed.
#pragma once

#include <string>

#include "base/trace_image.h"
#include "base/trace_mappings.h"
#include "base/trace_registers.h"

namespace svasim {

// That registers are possible, that every pointer leads to a table of the right kind and level, and that
// page tables are trees: a damaged image could otherwise describe more leaves than can be listed. Throws
// InputError naming `name` and the entry.
void check_tables(const TableImage& image, const std::string& name);

// That the registers of the image are those of the dump. Throws InputError naming `name` and the register.
void check_registers(const TableImage& image, const std::string& name, const RegisterDump& dump);

// That the list tells the same entries and leaves as the image (checked above), no more and no fewer.
// Throws InputError with the line; returns the number of lines compared.
std::uint64_t check_mappings(const TableImage& image, MappingReader& mappings);

}  // namespace svasim
