#include "models/formats/page_table_format.h"
#include "models/formats/riscv_page_table.h"
#include "models/formats/vtd_second_stage.h"
#include "models/formats/x86_first_stage.h"

namespace svasim {
namespace {

template <PageTableFormat (*Make)(unsigned, const PageFormatOptions&), unsigned Levels>
PageTableFormat make(const PageFormatOptions& options) {
  return Make(Levels, options);
}

template <TableStage Stage, unsigned Levels>
PageTableFormat riscv(const PageFormatOptions& /*options*/) {
  return make_riscv(Stage, Levels);
}

constexpr TableStage kFirst = TableStage::kFirst;
constexpr TableStage kSecond = TableStage::kSecond;

}  // namespace

const std::vector<PageFormatEntry>& format_table() {
  static const std::vector<PageFormatEntry> table = {
      {"x86-fs4", "first stage, 4 levels, 48-bit addresses", make<make_x86_first_stage, 4>},
      {"x86-fs5", "first stage, 5 levels, 57-bit addresses", make<make_x86_first_stage, 5>},
      {"vtd-ss3", "second stage, 3 levels, 39-bit addresses", make<make_vtd_second_stage, 3>},
      {"vtd-ss4", "second stage, 4 levels, 48-bit addresses", make<make_vtd_second_stage, 4>},
      {"vtd-ss5", "second stage, 5 levels, 57-bit addresses", make<make_vtd_second_stage, 5>},
      {"riscv-sv39", "RISC-V first stage, 3 levels, 39-bit addresses", riscv<kFirst, 3>},
      {"riscv-sv48", "RISC-V first stage, 4 levels, 48-bit addresses", riscv<kFirst, 4>},
      {"riscv-sv57", "RISC-V first stage, 5 levels, 57-bit addresses", riscv<kFirst, 5>},
      {"riscv-sv39x4", "RISC-V second stage, 3 levels, 41-bit addresses", riscv<kSecond, 3>},
      {"riscv-sv48x4", "RISC-V second stage, 4 levels, 50-bit addresses", riscv<kSecond, 4>},
      {"riscv-sv57x4", "RISC-V second stage, 5 levels, 59-bit addresses", riscv<kSecond, 5>},
  };
  return table;
}

const PageFormatEntry* find_format(std::string_view name) {
  for (const PageFormatEntry& entry : format_table()) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

}  // namespace svasim
