// One stale use, with all that explains it.
#pragma once

#include <string>

#include "models/reference/reference_types.h"
#include "tlm/translation_monitor.h"

namespace svasim {

// Whose page an access went to: a device, its PASID, the page's address in that space.
struct PageUser {
  RequesterId requester;
  bool has_pasid = false;
  Pasid pasid;
  Addr page = 0;

  static PageUser of(const TranslationUse& use) {
    return {use.requester, use.has_pasid, use.has_pasid ? use.pasid : Pasid(),
            use.iova >> kPageShift << kPageShift};
  }
  friend bool operator==(const PageUser& a, const PageUser& b) {
    return a.requester == b.requester && a.has_pasid == b.has_pasid && a.pasid == b.pasid && a.page == b.page;
  }
};

struct StaleUse {
  TranslationUse use;
  std::string user;         // name of the IOMMU or ATC
  bool error = false;       // false: exposed
  bool given_away = false;  // the page is free, or somebody else's since
  std::string tables;       // what they say now
  CoveringInvalidation covering;
  Ps first = 0;         // time of the first stale use of this translation
  Ps agreed = kNever;   // of the last one that agreed with the tables
  bool reused = false;  // the physical page has been used by somebody else since:
  PageUser owner;
  Ps owner_time = 0;

  // "no covering invalidation queued", "queued at 1.2 us, not complete", "completed at 3 us".
  std::string invalidation() const;
  // One line for people.
  std::string sentence() const;
};

// What the tables answered, where it differs from the use.
std::string describe_answer(const ReferenceResult& result, const TranslationUse& use);
std::string to_string(const PageUser& user);
const char* to_string(TranslationOrigin origin);

}  // namespace svasim
