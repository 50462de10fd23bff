// Compares every use of a translation with what the tables say at that time.
#pragma once

#include <map>
#include <systemc>
#include <unordered_map>
#include <vector>

#include "models/reference/reference_translator.h"
#include "models/stale_uses/page_life.h"
#include "models/stale_uses/stale_use_report.h"
#include "models/stale_uses/stale_use_stats.h"
#include "tlm/context.h"
#include "tlm/translation_monitor.h"

namespace svasim {

// The tables of one IOMMU and the registers that lead to them, as they are now; looking changes nothing.
class RemappingView {
 public:
  virtual ~RemappingView() = default;
  virtual MemoryView& memory() = 0;
  virtual ReferenceRegisters registers() const = 0;
};

// A use is stale when the reference translator does not come to the same address, with the rights the access
// needs. It is an error when an invalidation that covers it was complete before, else it is exposed: software
// has changed the tables and not made sure yet that nobody uses what was there.
//
// It is an error, too, when the page is free at the time of the use, or has had another user since the
// translation was last found right: software gave it away before the hardware had forgotten it.
//
// Set SimContext's `monitor` to it before the models are constructed, watch() all of them before the first
// event. See docs/stale-uses.md.
class StaleUseDetector : public sc_core::sc_module, public TranslationMonitor {
 public:
  // listed: how many errors, and how many exposed uses, are described.
  StaleUseDetector(sc_core::sc_module_name name, SimContext& context, unsigned listed);

  // Uses of an IOMMU, and of an ATC behind it; the order of calls is that of their uses within an instant.
  void watch(const std::string& name, const TranslationUser& user, RemappingView& view,
             const TranslationUser* iommu = nullptr);

  // Who knows which pages are free.
  void watch_pages(PageLife life) { life_ = std::move(life); }

  void used(const TranslationUser& user, const TranslationUse& use) override;

  const StaleUseStats& stats() const { return stats_; }
  // The first ones, in order of time.
  const std::vector<StaleUse>& errors() const { return errors_; }
  const std::vector<StaleUse>& exposed() const { return exposed_; }

 private:
  struct Watched {
    std::string name;
    const TranslationUser* user;
    const TranslationUser* iommu;  // of an ATC
    RemappingView* view;
    ReferenceRegisters registers;
    ReferenceTranslator reference;
    Watched(std::string named, const TranslationUser& uses, const TranslationUser* behind,
            RemappingView& tables)
        : name(std::move(named)),
          user(&uses),
          iommu(behind),
          view(&tables),
          reference(tables.memory(), registers) {}
  };
  struct Pending {
    std::size_t watched = 0;
    TranslationUse use;
  };
  struct UserHash {
    std::size_t operator()(const PageUser& user) const {
      const std::uint64_t space = (std::uint64_t{user.requester.value()} << 32) | user.pasid.value();
      return std::hash<std::uint64_t>()((user.page ^ (space << 13) ^ space) * 0x9E3779B97F4A7C15U);
    }
  };
  // The last rightful use of a physical page.
  struct Owner {
    PageUser user;
    Ps time = 0;
  };
  // A page with stale uses; `first`: of the translation now in question, kNever when tables and uses agree.
  struct Exposure {
    Ps first = kNever;
    Addr address = 0;
  };

  void judge_all();
  void judge(Watched& watched, const TranslationUse& use);
  // The first answer of the reference that differs, if any does.
  bool agrees(Watched& watched, const TranslationUse& use, ReferenceResult& answer) const;
  // The page is free, or not the one that the translation was given for. Notes that it is, if the tables
  // agree.
  bool is_given_away(const TranslationUse& use, bool agreed);
  void stale(const Watched& watched, const TranslationUse& use, const ReferenceResult& answer,
             bool given_away);

  const SimContext& context_;
  const unsigned listed_;
  std::vector<std::unique_ptr<Watched>> watched_;
  std::map<const TranslationUser*, std::size_t> ranks_;
  std::vector<Pending> pending_;
  sc_core::sc_event judge_;
  // A translation as it was last found right: the page, and which of its lives.
  struct Right {
    Addr page = 0;
    std::uint64_t life = 0;
  };
  PageLife life_;
  std::unordered_map<PageUser, Right, UserHash> rights_;
  std::unordered_map<Addr, Owner> owners_;  // by number of the physical page
  std::unordered_map<PageUser, Exposure, UserHash> exposures_;
  std::vector<StaleUse> errors_;
  std::vector<StaleUse> exposed_;
  StaleUseStats stats_;
};

}  // namespace svasim
