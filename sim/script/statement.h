// What a script consists of, as read from its file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/types.h"
#include "models/iommu/iommu_params.h"
#include "models/memory/memory_params.h"
#include "models/prq/prq_params.h"
#include "models/walker/walker_params.h"
#include "sim/script/expression.h"

namespace svasim {

// name=value, or a name alone.
struct Argument {
  std::string name;
  std::optional<Expression> value;
  std::vector<unsigned char> bytes;  // of a byte string
  std::string word;                  // of a name that stands for something
  const FieldName* field = nullptr;  // of a table entry or descriptor
};

// By the value of the AT field.
inline const std::vector<std::string>& address_types() {
  static const std::vector<std::string> words = {"untranslated", "translation", "translated", "reserved"};
  return words;
}

class Arguments {
 public:
  const Argument* find(const std::string& name) const {
    for (const Argument& argument : all_) {
      if (argument.name == name) return &argument;
    }
    return nullptr;
  }
  bool has(const std::string& name) const { return find(name) != nullptr; }
  void add(Argument argument) { all_.push_back(std::move(argument)); }
  const std::vector<Argument>& all() const { return all_; }

 private:
  std::vector<Argument> all_;
};

enum class StatementKind : std::uint8_t {
  kLet,
  kPrint,
  kWrite,
  kWriteOffset,
  kExpect,
  kPoll,
  kStore,
  kStoreBytes,
  kExpectBytes,
  kAdvance,
  kTable,
  kMap,
  kUnmap,
  kRoot,
  kContext,
  kPasidEntry,
  kEnable,
  kQueue,
  kQueueRaw,
  kSubmit,
  kSync,
  kDma,
  kTranslate,
  kPageRequest,
  kComplete,
  kDevice,
  kExpectFault,
  kExpectNoFault,
  kExpectMessage,
  kExpectNoMessage,
  kExpectInterrupt,
  kExpectNoInterrupt,
  kExpectPageRequest,
};

struct Statement {
  StatementKind kind = StatementKind::kPrint;
  std::uint64_t line = 0;
  std::string text;
  std::uint64_t repeat = 1;
  std::string name;                 // variable, table, kind of descriptor, message or access
  std::string comparison;           // "==", ...; of a page table its stage
  unsigned bytes = 0;               // width of an access
  std::vector<Expression> values;   // in the order of the statement
  std::vector<unsigned char> data;  // a byte string
  Ps time = 0;                      // advance, within
  Arguments arguments;
  std::string outcome;  // behind ->, "" when there is none
  Arguments outcome_arguments;
};

struct ScriptParams {
  IommuParams iommu = iommu_params().defaults();
  PrqParams prq = prq_params().defaults();
  WalkerParams walker = walker_params().defaults();
  MemoryParams memory = memory_params().defaults();
  MemoryBusParams bus = memory_bus_params().defaults();
};

struct RegisterScript {
  std::string file;
  std::string document;  // of the specification: "VTD"
  std::string section;
  std::string title;
  ScriptParams params;
  std::vector<Statement> statements;
};

}  // namespace svasim
