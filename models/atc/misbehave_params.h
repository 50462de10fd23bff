// Ways in which a device can break the rules of ATS and PRI, to see who notices.
#pragma once

#include "base/params.h"

namespace svasim {

struct MisbehaveParams {
  bool keeps_translations;
  bool never_completes;
  bool completes_twice;
  bool wrong_group_index;
  bool ignores_credits;
  unsigned foreign_pasid;
  unsigned every;
};

inline const ParamTable<MisbehaveParams>& misbehave_params() {
  using P = MisbehaveParams;
  static const ParamTable<P> table =
      ParamTable<P>("Rules a device breaks")
          .flag("keeps_translations", &P::keeps_translations, "false",
                "Completes invalidate requests and goes on using the translations they cover.", "ATS 4.1")
          .flag(
              "never_completes", &P::never_completes, "false",
              "Obeys invalidate requests and never completes them. The driver learns of it when the IOMMU's "
              "invalidate_timeout has passed; a longer one than sim.watchdog makes the run a hang before.",
              "ATS 4.2")
          .flag("completes_twice", &P::completes_twice, "false", "Completes invalidate requests twice.",
                "ATS 4.2")
          .flag("wrong_group_index", &P::wrong_group_index, "false",
                "Sends the last page request of a group with an index that is not the group's.", "PRI 6")
          .flag("ignores_credits", &P::ignores_credits, "false",
                "Sends page requests beyond its allocation, as many as it has group indices for.", "PRI 5")
          .count("foreign_pasid", &P::foreign_pasid, "0", 0, kMaxPasid,
                 "PASID it uses in place of the one of the access; 0: none.", "PCIE PASID")
          .count(
              "every", &P::every, "1", 1, 1U << 20,
              "Misbehaves at every so manieth invalidate request, group or access, beginning with the first.",
              "MODEL");
  return table;
}

}  // namespace svasim
