// The translation of requests, without a clock: what is known, what must be read, what is answered.
#pragma once

#include <cstdint>
#include <string_view>

#include "models/iommu/capabilities.h"
#include "models/iommu/iommu_stats.h"
#include "models/iommu/request.h"
#include "models/iommu/stale_check.h"
#include "models/iommu/structure_fetch.h"
#include "models/iommu/translation_caches.h"
#include "models/walker/walker_if.h"

namespace svasim {

// Both timing modes call the same steps: resolve() finds the address space, lookup() the page, and
// where they ask for memory, the caller has it read and goes on with the result.
class Translator {
 public:
  enum class Next : std::uint8_t {
    kDone,          // fault or translation is in the request
    kFetchContext,  // start fetch_context()
    kFetchPasid,    // start fetch_pasid()
    kWalk,          // start make_walk()
  };

  Translator(const IommuParams& params, const Capabilities& capabilities, IommuStats& stats,
             std::uint64_t seed, std::string_view name)
      : capabilities_(capabilities),
        stats_(stats),
        caches_(params, seed, name),
        second_tables_cached_(params.second_stage_cache.enable),
        keep_lines_(params.iotlb.prefetch != 0) {}

  // The latched root pointer.
  void set_root(const RootPointer& root) {
    root_ = root;
    repeated_key_ = kNoKey;
  }
  const RootPointer& root() const { return root_; }

  // Finds the address space of the request, or the fault; SPEC: [VTD 3.4]. Translated requests end
  // here, and page requests after it.
  Next resolve(Request& request) {
    // WHY a short cut: successive requests mostly use one address space. What resolve() answered
    // last it answers again as long as the caches hold what they held.
    if (key_of(request) == repeated_key_ && caches_.repeat_context(repeated_age_, repeated_legacy_)) {
      request.space = repeated_space_;
      request.quiet = repeated_space_->quiet;
      request.access.privileged = repeated_privileged_;
      request.context_born = repeated_context_born_;
      return Next::kDone;
    }
    return resolve_anew(request);
  }
  // Finds the translation in the IOTLB.
  Next lookup(Request& request);

  // What resolve() and lookup() would answer a request like the last one, changing and counting nothing:
  // false when that is no hit. `held`: what makes it one.
  bool stands(Request& request, Iotlb::Held& held);
  // `times` uses of what stands, as far as context and PASID cache are concerned.
  void use_again(RequesterId requester, bool has_pasid, Pasid pasid, std::uint64_t times) {
    caches_.use_context(requester, has_pasid, pasid, times);
    repeated_key_ = kNoKey;
  }

  StructureFetch::State fetch_context(const Request& request, StructureFetch& fetch) const {
    return fetch.start_context(root_, request.requester, stale_check_.count());
  }
  StructureFetch::State fetch_pasid(const Request& request, StructureFetch& fetch) const {
    return fetch.start_pasid(request.own_context, pasid_of(request, request.own_context),
                             stale_check_.count());
  }
  // The caches learn from a fetch that is done.
  void learn(const StructureFetch& fetch, RequesterId requester, Pasid pasid);
  // The request learns from it; go on with resolve().
  static void take(Request& request, const StructureFetch& fetch);

  // The walk of a request from the top.
  void describe_walk(const Request& request, WalkRequest& walk) const;
  // From the lowest table known.
  void make_walk(const Request& request, WalkRequest& walk);
  // Nested: a walk of `space` asks for the lowest table known of its second stage.
  void find_second_table(const AddressSpace& space, TableQuery& query);
  // The second-stage tables such a walk has gone through, begun when `born` invalidations had taken effect.
  void learn_second_tables(const AddressSpace& space, const TableQuery& query, std::uint64_t born);
  // The caches learn from a walk that began when `born` invalidations had taken effect; false when
  // a later one forbids to keep any of it.
  // `prefetched`: nobody asked for it.
  bool learn(const AddressSpace& space, RequesterId requester, const WalkRequest& walk,
             const WalkResult& result, std::uint64_t born, bool prefetched = false);
  // Makes `request` ask for the page behind the one of a walk; false when there is no such page, or it is
  // known.
  bool aim_prefetch(Request& request, Addr iova) const;
  // A walk for such a request changes nothing in tables.
  static void make_prefetch(WalkRequest& walk);
  IotlbKey iotlb_key(const Request& request) const {
    return caches_.translations().key(*request.space, request.requester);
  }
  // The request takes the result of a walk for its page; kWalk: it needs one of its own, because
  // the walk asked for less, or faulted for asking something else.
  Next take(Request& request, const WalkRequest& walk, const WalkResult& result, std::uint64_t born);

  static Pasid pasid_of(const Request& request, const ContextEntry& context) {
    return request.has_pasid ? request.pasid : context.rid_pasid;
  }

  TranslationCaches& caches() { return caches_; }
  const TranslationCaches& caches() const { return caches_; }
  StaleCheck& stale_check() { return stale_check_; }

 private:
  static Next fail(Request& request, FaultReason reason, const FaultPlace& place) {
    request.fail(reason, place);
    return Next::kDone;
  }
  // About the entry that names the address space.
  static Next fail(Request& request, FaultReason reason) {
    const AddressSpace& space = *request.space;
    return fail(
        request, reason,
        {space.legacy ? FaultPlace::Structure::kContextEntry : FaultPlace::Structure::kPasidTableEntry,
         space.entry});
  }
  // Everything of a request that resolve() looks at; kNoKey when it is under way already.
  static constexpr std::uint64_t kNoKey = ~std::uint64_t{0};
  static std::uint64_t key_of(const Request& r) {
    if (r.has_context) {
      return kNoKey - 1;
    }
    return r.requester.value() | (std::uint64_t{static_cast<std::uint8_t>(r.kind)} << 16) |
           (std::uint64_t{r.has_pasid} << 18) | (std::uint64_t{r.access.privileged} << 19) |
           (std::uint64_t{r.execute} << 20) | (std::uint64_t{r.pasid.value()} << 32);
  }
  Next resolve_anew(Request& request);
  Next check_root(Request& request);
  Next check_context(Request& request, const ContextEntry& context);
  Next use(Request& request, std::uint64_t& born);
  FaultReason input_fault(const Request& request) const;

  const Capabilities& capabilities_;
  IommuStats& stats_;
  TranslationCaches caches_;
  StaleCheck stale_check_;
  RootPointer root_;
  const bool second_tables_cached_;
  const bool keep_lines_;  // the pages beside are of use

  // The last answer of resolve() that came from the caches.
  std::uint64_t repeated_key_ = kNoKey;
  std::uint64_t repeated_age_ = 0;
  const AddressSpace* repeated_space_ = nullptr;
  std::uint64_t repeated_context_born_ = 0;
  bool repeated_legacy_ = false;
  bool repeated_privileged_ = false;
};

}  // namespace svasim
