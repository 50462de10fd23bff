#include "models/iommu/translator.h"

#include "models/formats/vtd_registers.h"

namespace svasim {

using Next = Translator::Next;

namespace {

// The entry a walk ended at.
FaultPlace place_of(const WalkRequest& walk, const WalkResult& result) {
  const bool second = result.entry_nested || walk.format->stage == TableStage::kSecond;
  return {second ? FaultPlace::Structure::kSecondStageEntry : FaultPlace::Structure::kFirstStageEntry,
          result.entry, result.fault_level};
}

PageRights rights_of(const WalkResult& walk) {
  return {walk.read, walk.write, walk.user, walk.dirty, walk.second_write};
}

}  // namespace

Next Translator::resolve_anew(Request& request) {
  const std::uint64_t key = key_of(request);
  repeated_key_ = kNoKey;
  const bool from_caches = !request.has_context;
  const ContextEntry* context = &request.own_context;
  if (!request.has_context) {
    if (check_root(request); request.fault != FaultReason::kNone) {
      return Next::kDone;
    }
    context = caches_.context(request.requester);
    if (context == nullptr) {
      return Next::kFetchContext;
    }
  }
  request.quiet = context->quiet;
  request.context_born = context->born;
  if (check_context(request, *context); request.fault != FaultReason::kNone) {
    return Next::kDone;
  }
  if (!request.has_pasid) {
    request.access.privileged = context->rid_privileged;
  }
  // SPEC: [VTD 4.2.3] a translated request is done after the context checks.
  if (request.kind == RequestKind::kTranslated) {
    return Next::kDone;
  }
  if (request.space == nullptr) {
    if (context->legacy) {
      request.space = &context->space;
    } else {
      request.space = caches_.pasid(request.requester, pasid_of(request, *context));
      if (request.space == nullptr) {
        request.own_context = *context;
        request.has_context = true;
        return Next::kFetchPasid;
      }
    }
  }
  const AddressSpace& space = *request.space;
  request.quiet = space.quiet;
  if (request.kind == RequestKind::kPageRequest) {
    return Next::kDone;
  }
  // SPEC: [VTD 3.6.1] no execute requests up to major version 7; privileged ones need SRE, a field of the
  // first stage.
  if (request.execute) {
    return fail(request, FaultReason::kPasidExecuteRequested);
  }
  if (request.access.privileged && has_first_stage(space.kind) && !space.supervisor) {
    return fail(request, FaultReason::kSupervisorDisabled);
  }
  if (from_caches) {
    repeated_key_ = key;
    repeated_age_ = caches_.contexts_age();
    repeated_space_ = &space;
    repeated_legacy_ = context->legacy;
    repeated_context_born_ = context->born;
    repeated_privileged_ = request.access.privileged;
  }
  return Next::kDone;
}

Next Translator::check_root(Request& request) {
  const FaultPlace place = {FaultPlace::Structure::kRootTable, root_.table};
  switch (root_.mode) {
    case TranslationMode::kLegacy:
      if (root_.bad_fields) {
        return fail(request, FaultReason::kTranslationModeInvalid, place);
      }
      if (request.kind == RequestKind::kPageRequest) {
        return fail(request, FaultReason::kPageRequestInLegacyMode, place);
      }
      if (request.has_pasid) {
        return fail(request, FaultReason::kPasidInLegacyMode, place);
      }
      return Next::kDone;
    case TranslationMode::kScalable:
      if (root_.bad_fields || !capabilities_.params().scalable_mode) {
        return fail(request, FaultReason::kTranslationModeInvalid, place);
      }
      return Next::kDone;
    case TranslationMode::kAbortDma:
      return fail(
          request,
          capabilities_.params().abort_dma ? FaultReason::kAbortDma : FaultReason::kTranslationModeInvalid,
          place);
    case TranslationMode::kReserved:
      break;
  }
  return fail(request, FaultReason::kTranslationModeInvalid, place);
}

Next Translator::check_context(Request& request, const ContextEntry& context) {
  const FaultPlace place = {FaultPlace::Structure::kContextEntry, context.entry};
  const bool ats =
      request.kind == RequestKind::kTranslationRequest || request.kind == RequestKind::kTranslated;
  if (ats && !context.device_tlb) {
    return fail(request, context.legacy ? FaultReason::kLegacyAtsBlocked : FaultReason::kDeviceTlbDisabled,
                place);
  }
  if (context.legacy) {
    return Next::kDone;
  }
  if (request.kind == RequestKind::kPageRequest && !context.page_requests) {
    return fail(request, FaultReason::kPageRequestDisabled, place);
  }
  if (!request.has_pasid) {
    return Next::kDone;
  }
  if (request.kind != RequestKind::kTranslated && !context.pasid_enable) {
    return fail(request, FaultReason::kPasidDisabled, place);
  }
  if (!capabilities_.pasid_fits(request.pasid.value())) {
    return fail(request, FaultReason::kPasidBeyondWidth, place);
  }
  if (request.kind == RequestKind::kTranslated) {
    return fail(request, FaultReason::kTranslatedWithPasid, place);
  }
  if (request.pasid.value() >= context.pasid_limit) {
    return fail(request, FaultReason::kPasidBeyondDirectory, place);
  }
  if (request.pasid == context.rid_pasid) {
    return fail(request, FaultReason::kPasidIsRidPasid, place);
  }
  return Next::kDone;
}

void Translator::learn(const StructureFetch& fetch, RequesterId requester, Pasid pasid) {
  if (fetch.is_context()) {
    caches_.fill_context(requester, fetch.context());
  } else {
    caches_.fill_pasid(requester, pasid, fetch.space());
  }
}

void Translator::take(Request& request, const StructureFetch& fetch) {
  if (fetch.is_context()) {
    request.own_context = fetch.context();
    request.has_context = true;
  } else {
    request.own_space = fetch.space();
    request.space = &request.own_space;
  }
}

FaultReason Translator::input_fault(const Request& request) const {
  const AddressSpace& space = *request.space;
  FaultReason reason = FaultReason::kNone;
  if (has_first_stage(space.kind)) {
    reason = space.format->accepts(request.iova) ? FaultReason::kNone : FaultReason::kNotCanonical;
  } else if ((request.iova >> space.input_bits) != 0) {
    reason = space.kind == SpaceKind::kPassThrough ? FaultReason::kHostAddressBeyondWidth
                                                   : FaultReason::kSecondStageBeyondWidth;
  }
  return space.legacy ? legacy_reason(reason, request.is_write()) : reason;
}

Next Translator::lookup(Request& request) {
  const AddressSpace& space = *request.space;
  if (space.kind == SpaceKind::kPassThrough) {
    if (const FaultReason reason = input_fault(request); reason != FaultReason::kNone) {
      return fail(request, reason);
    }
    // SPEC: [VTD 3.4] output = input; reported as 4-KiB pages.
    request.page = request.iova & ~(kPageSize - 1);
    request.shift = kPageShift;
    request.rights = {true, true};
    std::uint64_t born = ~std::uint64_t{0};
    return use(request, born);
  }
  IotlbEntry* entry = caches_.translations().lookup(iotlb_key(request), request.iova);
  if (entry == nullptr) {
    if (const FaultReason reason = input_fault(request); reason != FaultReason::kNone) {
      return fail(request, reason);
    }
    return Next::kWalk;
  }
  request.found = true;
  if (entry->prefetched) {
    entry->prefetched = false;
    stats_.prefetches_used.add();
  }
  const EffectiveRights rights = effective_rights(entry->rights, space, request.access.privileged);
  const AccessKind& access = request.access;
  if ((access.read && !rights.read) || (access.write && !(rights.write && entry->rights.dirty))) {
    stats_.rewalks.add();
    return Next::kWalk;
  }
  request.hit = true;
  request.rights = rights;
  request.snoop = entry->snoop;
  request.page = entry->page;
  request.shift = entry->shift;
  return use(request, entry->born);
}

bool Translator::stands(Request& request, Iotlb::Held& held) {
  if (key_of(request) != repeated_key_ || caches_.contexts_age() != repeated_age_) {
    return false;
  }
  request.space = repeated_space_;
  request.access.privileged = repeated_privileged_;
  const AddressSpace& space = *request.space;
  request.page = request.iova & ~(kPageSize - 1);
  request.shift = kPageShift;
  if (space.kind == SpaceKind::kPassThrough) {
    return input_fault(request) == FaultReason::kNone && !in_interrupt_range(request.page);
  }
  held = caches_.translations().hold(iotlb_key(request), request.iova);
  if (held.entry.data == nullptr) {
    return false;
  }
  const IotlbEntry& entry = *held.entry.data;
  const EffectiveRights rights = effective_rights(entry.rights, space, request.access.privileged);
  const bool allowed = (!request.access.read || rights.read) &&
                       (!request.access.write || (rights.write && entry.rights.dirty));
  request.page = entry.page;
  request.shift = entry.shift;
  const bool crosses = ((request.iova ^ request.last) >> kPageShift) != 0;
  return allowed && !entry.prefetched && !crosses && !in_interrupt_range(request.address());
}

// The translation is known and allows the access.
Next Translator::use(Request& request, std::uint64_t& born) {
  const AddressSpace& space = *request.space;
  request.born = born;
  request.space_born = space.born;
  request.tag = space.tag;
  if (stale_check_.stale(born, space.tag, request.iova & ~(kPageSize - 1), kPageShift)) {
    stats_.stale_uses.add();
  }
  // A superpage lets an access run over a 4-KiB boundary; nothing lets it leave its page.
  request.crosses =
      space.kind != SpaceKind::kPassThrough && ((request.iova ^ request.last) >> request.shift) != 0;
  if (in_interrupt_range(request.address())) {
    return fail(
        request,
        space.legacy ? FaultReason::kLegacyOutputInInterruptRange : FaultReason::kOutputInInterruptRange,
        {FaultPlace::Structure::kPage, request.page});
  }
  return Next::kDone;
}

void Translator::describe_walk(const Request& request, WalkRequest& walk) const {
  const AddressSpace& space = *request.space;
  walk.format = space.format;
  walk.level = space.format->levels;
  walk.table = space.root;
  walk.upper_read = walk.upper_write = walk.upper_user = true;
  walk.nested.format = space.second_format;
  walk.nested.root = space.second_root;
  walk.nested.input_bits = space.second_input_bits;
  walk.nested.update_ad = space.second_update_ad;
  walk.nested.table_known = false;
  walk.nested.cached = false;
  walk.iova = request.iova;
  walk.is_read = request.access.read;
  walk.is_write = request.access.write;
  walk.privileged = request.access.privileged;
  walk.write_protect = space.write_protect;
  walk.need_access = request.kind != RequestKind::kTranslationRequest;
  walk.update_ad = space.update_ad;
  walk.snooped = space.walk_snoop;
  walk.keep_line = keep_lines_;
  walk.walk_class = WalkClass::kDemand;
  walk.requester = request.requester;
}

void Translator::make_walk(const Request& request, WalkRequest& walk) {
  const AddressSpace& space = *request.space;
  describe_walk(request, walk);
  walk.nested.cached = space.second_format != nullptr && second_tables_cached_;
  if (const PagingEntry* entry = caches_.table(space, request.iova)) {
    walk.level = entry->level;
    walk.table = entry->table;
    walk.upper_read = entry->read;
    walk.upper_write = entry->write;
    walk.upper_user = entry->user;
    walk.nested.table_known = true;
    walk.nested.table_writable = entry->writable;
  }
}

void Translator::find_second_table(const AddressSpace& space, TableQuery& query) {
  query.start = WalkResult::Step();
  if (const PagingEntry* entry = caches_.second_table(space, query.guest)) {
    query.start = {entry->table, entry->level, entry->read, entry->write, true, true};
  }
}

void Translator::learn_second_tables(const AddressSpace& space, const TableQuery& query, std::uint64_t born) {
  const bool overtaken = born != stale_check_.count();
  for (unsigned i = 0; i < query.steps; ++i) {
    const WalkResult::Step& step = query.step[i];
    const unsigned span = TranslationCaches::span(step.level);
    const auto lost = [&](const InvalidationScope& scope) {
      return scope.covers_table(space.second_tag(), query.found_guest >> span << span, span);
    };
    if (!overtaken || !stale_check_.any_since(born, lost)) {
      caches_.fill_second_table(space, query.found_guest, {step.table, step.level, step.read, step.write});
    }
  }
}

bool Translator::aim_prefetch(Request& request, Addr iova) const {
  request.iova = request.last = iova;
  request.kind = RequestKind::kUntranslated;
  request.access = {true, false, request.access.privileged};
  return input_fault(request) == FaultReason::kNone &&
         !caches_.translations().holds(iotlb_key(request), iova);
}

void Translator::make_prefetch(WalkRequest& walk) {
  walk.need_access = false;
  walk.keep_line = false;
  walk.walk_class = WalkClass::kPrefetch;
  // WHY: an update that is needed ends the walk then. A page nobody asked for is not marked as used.
  walk.snooped = false;
}

bool Translator::learn(const AddressSpace& space, RequesterId requester, const WalkRequest& walk,
                       const WalkResult& result, std::uint64_t born, bool prefetched) {
  // SPEC: [VTD 6.1] with CM = 0 nothing that faulted is cached. A translation request that got no rights
  // faulted too: its leaf has no accessed bit, which a privileged request could otherwise use unset.
  const EffectiveRights granted = effective_rights(rights_of(result), space, walk.privileged);
  if (result.fault != FaultReason::kNone || (!granted.read && !granted.write)) {
    return true;
  }
  bool kept = true;
  const bool overtaken = born != stale_check_.count();
  const auto page_lost = [&](const InvalidationScope& scope) {
    return scope.covers(space.tag, walk.iova >> result.page_shift << result.page_shift, result.page_shift);
  };
  if (overtaken && stale_check_.any_since(born, page_lost)) {
    kept = false;
  } else {
    IotlbEntry entry;
    entry.page = result.page;
    entry.born = born;
    entry.rights = rights_of(result);
    entry.shift = result.page_shift;
    entry.snoop = result.snoop;
    entry.prefetched = prefetched;
    caches_.translations().fill(caches_.translations().key(space, requester), walk.iova, entry);
  }
  const std::uint64_t table_bits = space.table_bits();
  for (unsigned i = 0; i < result.steps; ++i) {
    const WalkResult::Step& step = result.step[i];
    const unsigned span = TranslationCaches::span(step.level);
    const auto table_lost = [&](const InvalidationScope& scope) {
      return scope.covers_table(space.tag, walk.iova >> span << span, span);
    };
    if (overtaken && stale_check_.any_since(born, table_lost)) {
      kept = false;
      continue;
    }
    caches_.fill_table(space.kind, table_bits, walk.iova,
                       {step.table, step.level, step.read, step.write, step.user, step.writable});
  }
  return kept;
}

Next Translator::take(Request& request, const WalkRequest& walk, const WalkResult& result,
                      std::uint64_t born) {
  const AddressSpace& space = *request.space;
  const AccessKind& access = request.access;
  const bool same_access =
      walk.is_read == access.read && walk.is_write == access.write && walk.privileged == access.privileged;
  if (result.fault != FaultReason::kNone) {
    if (!same_access) {
      return Next::kWalk;
    }
    return fail(request, space.legacy ? legacy_reason(result.fault, request.is_write()) : result.fault,
                place_of(walk, result));
  }
  const PageRights rights = rights_of(result);
  const EffectiveRights effective = effective_rights(rights, space, access.privileged);
  const EffectiveRights granted = effective_rights(rights, space, walk.privileged);
  if (!same_access && !granted.read && !granted.write) {
    return Next::kWalk;  // the leaf's accessed bit is not set
  }
  if (request.kind == RequestKind::kUntranslated) {
    if (const FaultReason denied = access_fault(rights, space, access); denied != FaultReason::kNone) {
      return fail(request, denied, place_of(walk, result));
    }
  }
  if (access.write && effective.write && !result.dirty && !same_access) {
    return Next::kWalk;
  }
  request.rights = effective;
  request.snoop = result.snoop;
  request.page = result.page;
  request.shift = result.page_shift;
  return use(request, born);
}

}  // namespace svasim
