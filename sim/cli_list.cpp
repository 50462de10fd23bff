#include <fmt/format.h>

#include <ostream>
#include <systemc>

#include "base/stats.h"
#include "base/suggest.h"
#include "models/formats/page_table_format.h"
#include "models/host/steps/step_kind.h"
#include "models/stale_uses/stale_use_stats.h"
#include "models/tlb/replacement.h"
#include "models/walker/walk_order.h"
#include "sim/cli_options.h"
#include "sim/component_table.h"
#include "sim/sim_params.h"
#include "tlm/context.h"
#include "tlm/transaction.h"

namespace svasim {
namespace {

const std::vector<std::string> kCategories = {"components", "parameters", "statistics", "policies",
                                              "orders",     "formats",    "steps"};

std::vector<const ComponentType*> selected(const std::vector<std::string>& names) {
  std::vector<const ComponentType*> types;
  std::vector<std::string> known;
  for (const ComponentType& type : component_table()) {
    known.emplace_back(type.name);
    if (names.empty()) types.push_back(&type);
  }
  for (const std::string& name : names) {
    const ComponentType* type = find_component_type(name);
    if (type == nullptr)
      throw UsageError("there is no component type '" + name + "'" + suggestion(name, known));
    types.push_back(type);
  }
  return types;
}

void list_components(const std::vector<const ComponentType*>& types, std::ostream& out) {
  for (const ComponentType* type : types) {
    out << fmt::format("{:<12} {}\n", type->name, type->params().summary());
    for (const Offer& offer : type->offers) {
      for (const char* kind : offer.kinds)
        out << fmt::format("{:<12}   offers {} ({})\n", "", kind, offer.what);
    }
    for (const Param& param : type->params().params()) {
      if (param.ref_kind.empty()) continue;
      out << fmt::format("{:<12}   {} names a {}{}\n", "", param.name, param.ref_kind,
                         param.required ? "" : " (optional)");
    }
  }
}

void list_parameters(const std::vector<const ComponentType*>& types, bool all, std::ostream& out) {
  if (all) {
    out << "## sim\n\n" << sim_params().set().summary() << ".\n\n" << sim_params().set().markdown();
    out << "\n## checks[]\n\n"
        << stat_check_params().set().summary() << ".\n\n"
        << stat_check_params().set().markdown() << "\n";
  }
  for (const ComponentType* type : types) {
    out << "## " << type->name << "\n\n"
        << type->params().summary() << ".\n\n"
        << type->params().markdown() << "\n";
  }
}

// Statistics exist where a component does, so one of each type is constructed with its defaults.
void list_statistics(const std::vector<const ComponentType*>& types, bool all, std::ostream& out) {
  TransactionPool pool;
  StatRegistry stats;
  SimContext context{1, Timing::kApproximate, pool, stats};
  std::vector<std::unique_ptr<Component>> components;
  for (const ComponentType* type : types) {
    Problems ignored;  // references of a component that stands alone
    components.push_back(type->load(ConfigNode(), ignored));
    components.back()->list_statistics(type->name, context, SocketPlan());
  }
  StaleUseStats watched;  // of no component: with sim.stale_use_checks
  if (all) watched.describe(stats, kStaleUses);
  out << stats.markdown();
}

void list_policies(std::ostream& out) {
  for (const ReplacementEntry& entry : replacement_table()) {
    out << fmt::format("{:<16} {}\n", entry.name, entry.description);
  }
}

void list_orders(std::ostream& out) {
  for (const WalkOrderEntry& entry : walk_order_table()) {
    out << fmt::format("{:<16} {}\n", entry.name, entry.description);
  }
}

void list_formats(std::ostream& out) {
  for (const PageFormatEntry& entry : format_table()) {
    out << fmt::format("{:<24} {}\n", entry.name, entry.description);
  }
}

void list_steps(std::ostream& out) {
  for (const StepKind& kind : step_kinds()) {
    out << fmt::format("{:<16} {}\n{:<16}   {}\n", kind.name, kind.meaning, "", fmt::join(kind.keys, ", "));
  }
}

}  // namespace

int list_command(const std::vector<std::string>& args, Console& console) {
  CommandOptions options(
      "svasim list [components|parameters|statistics|policies|orders|formats|steps] [TYPE...]",
      "Lists what there is; parameters and statistics are printed as Markdown tables, of the\n"
      "named component types or of all.");
  options.positional("WHAT", 1);
  options.positional("TYPE", -1);
  if (!options.parse(args, console)) return kExitOk;
  const std::vector<std::string> what = options.texts("WHAT");
  const std::vector<std::string> names = options.texts("TYPE");
  if (!what.empty() && std::find(kCategories.begin(), kCategories.end(), what.front()) == kCategories.end()) {
    throw UsageError("cannot list '" + what.front() + "'" + suggestion(what.front(), kCategories));
  }
  for (const std::string& category : what.empty() ? kCategories : what) {
    if (what.empty()) console.out << "\n# " << category << "\n\n";
    if (category == "components") list_components(selected(names), console.out);
    if (category == "parameters") list_parameters(selected(names), names.empty(), console.out);
    if (category == "statistics") list_statistics(selected(names), names.empty(), console.out);
    if (category == "policies") list_policies(console.out);
    if (category == "orders") list_orders(console.out);
    if (category == "formats") list_formats(console.out);
    if (category == "steps") list_steps(console.out);
  }
  return kExitOk;
}

}  // namespace svasim
