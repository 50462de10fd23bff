// Executes a script on its system.
#pragma once

#include <map>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "base/check.h"
#include "models/reference/page_table_builder.h"
#include "models/reference/remapping_tables.h"
#include "sim/script/fault_evidence.h"
#include "sim/script/script_system.h"
#include "sim/script/statement.h"

namespace svasim {

struct ScriptResult {
  std::uint64_t checks = 0;
  bool failed = false;
};

// Stops a script: what was expected and what was seen.
struct CheckFailed {
  std::string expected;
  std::string seen;
};

// The AT field behind a word of address_types().
std::uint64_t address_type(const std::string& word);

class ScriptRunner : private ExpressionValues {
 public:
  ScriptRunner(const RegisterScript& script, ScriptSystem& system, std::ostream& out);

  // Prints what a failing check expected and saw, and ends there. Throws InputError for a statement
  // that cannot be carried out.
  ScriptResult run();

  const FaultEvidence& evidence() const { return evidence_; }

 private:
  // --- runner.cpp: values, registers, memory
  void execute(const Statement& s);
  std::uint64_t variable(const std::string& name) override;
  std::uint64_t read_register(const Expression& place) override;
  std::uint64_t call(const std::string& function, const std::vector<Expression>& arguments) override;
  std::uint64_t find_entry(const std::string& function, const std::vector<Expression>& arguments);
  std::uint64_t value(const Expression& e) { return evaluate(e, *this); }
  std::uint64_t value(const Arguments& arguments, const char* name, std::uint64_t otherwise);
  std::uint32_t offset_of(const Expression& place);
  std::uint64_t read_offset(std::uint64_t offset, unsigned bytes);
  void write_offset(std::uint64_t offset, unsigned bytes, std::uint64_t word);
  std::uint64_t read_named(const char* name) {
    return read_register({Expression::Kind::kRegister, 0, name, find_script_register(name), nullptr, {}});
  }
  void write_register(const Expression& place, std::uint64_t word);
  void write_command(std::uint32_t mask, bool on);
  void compare(const Statement& s);
  bool compares(const Statement& s, std::uint64_t& left, std::uint64_t& right);
  std::uint64_t load(Addr address, unsigned bytes);
  void store(Addr address, const void* bytes, std::size_t count);
  void expect_bytes(const Statement& s);

  // --- runner_tables.cpp: page tables, entries, the invalidation queue
  void build_tables(const Statement& s);
  // WHY the translation of the exception: a script may damage tables so that they lead out of memory,
  // or use up the pages for tables; that is bad input, not a defect.
  template <typename Work>
  auto with_tables(const Work& work) {
    try {
      return work();
    } catch (const InternalError&) {
      bad("the tables lead out of memory, or there is no memory left for them: damage tables after they are "
          "built, and take fewer pages");
    }
  }
  RemappingTables& tables();
  PageTableBuilder& page_table(const std::string& name);
  void new_table(const Statement& s);
  void map_page(const Statement& s);
  void unmap_page(const Statement& s);
  void set_context(const Statement& s);
  void set_pasid_entry(const Statement& s);
  void set_fields(Addr entry, unsigned words, const Arguments& arguments);
  void enable(const Statement& s);
  void queue(const std::vector<std::uint64_t>& words);
  void queue_descriptor(const Statement& s);
  void submit();
  void sync(const Statement& s);

  // --- runner_requests.cpp: what the device does, and what comes back
  ScriptRequest request(const Statement& s);
  const ScriptAnswer& ask(const ScriptRequest& request);
  void dma(const Statement& s);
  void translate(const Statement& s);
  void page_request(const Statement& s);
  void expect_status(const Statement& s, const ScriptAnswer& answer);
  void note(const ScriptRequest& request, RequestKind kind, const std::string& answer,
            bool read_right = false, bool write_right = false);
  void expect_fault(const Statement& s);
  void expect_message(const Statement& s);
  void expect_interrupt(const Statement& s);
  void expect_page_request(const Statement& s);
  ScriptMessage next_message(const char* expected);
  std::string describe(const ScriptMessage& message) const;

  [[noreturn]] void bad(const std::string& reason) const;
  // Counts a check; throws CheckFailed.
  void check(bool ok, const std::string& expected, const std::string& seen);
  RequesterId requester(std::uint64_t id) const;
  Pasid pasid(std::uint64_t id) const;

  const RegisterScript& script_;
  ScriptSystem& system_;
  std::ostream& out_;
  const Statement* at_ = nullptr;
  ScriptResult result_;
  std::map<std::string, std::uint64_t> variables_;
  TablePages pages_;
  std::map<std::string, std::unique_ptr<PageTableBuilder>> page_tables_;
  std::unique_ptr<RemappingTables> tables_;
  bool scalable_ = true;
  std::uint64_t unsent_ = 0;  // bytes in the invalidation queue behind its tail
  std::uint32_t cookie_ = 0;
  std::uint64_t next_fault_ = 0;
  std::uint64_t pattern_ = 0;
  FaultEvidence evidence_;
};

}  // namespace svasim
