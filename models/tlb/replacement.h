// Replacement policies for any set-associative table.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/recency.h"
#include "base/rng.h"
#include "models/tlb/future.h"

namespace svasim {

// Contract: the table calls fill() when it puts an entry in a way, touch() on a hit or when it renews
// the entry of a way, invalidate() when it drops one, and victim() only when every way of the set is valid.
// victim() must not change state: the fill() that follows does. Sets and ways are fixed at construction.
class ReplacementPolicy : public Recency {
 public:
  virtual void fill(unsigned set, unsigned way) = 0;
  virtual void invalidate(unsigned set, unsigned way) = 0;
  virtual unsigned victim(unsigned set) const = 0;

  // Instead of replacing one entry, the table drops all of them.
  virtual bool clears() const { return false; }
  // For policies that look at what is cached: called before fill(), with the page that goes in.
  virtual void name(unsigned /*set*/, unsigned /*way*/, const PageName& /*page*/) {}
  // For policies that know what comes; it must outlive the policy.
  virtual void set_future(const FutureUses* /*future*/) {}
};

struct ReplacementShape {
  unsigned sets = 1;
  unsigned ways = 1;
};

// One row of the table of policies: add a policy by adding its file and its row.
struct ReplacementEntry {
  const char* name;
  const char* description;
  bool plain;
  std::unique_ptr<ReplacementPolicy> (*make)(ReplacementShape shape, RngStream& rng);
};

// All policies, in the order in which they are listed.
const std::vector<ReplacementEntry>& replacement_table();

// The policy that needs to be told the future.
inline constexpr const char* kOraclePolicy = "oracle";

// Names for a parameter's choices.
std::vector<std::string> replacement_names();
// Those that need nothing but the calls of the contract: they replace one entry and know no future.
std::vector<std::string> plain_replacement_names();

// Throws InternalError for a name that is not in the table: parameters check it before. `rng` must
// outlive the policy.
std::unique_ptr<ReplacementPolicy> make_replacement(std::string_view name, ReplacementShape shape,
                                                    RngStream& rng);

}  // namespace svasim
