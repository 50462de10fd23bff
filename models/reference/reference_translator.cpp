#include "models/reference/reference_translator.h"

#include <algorithm>

#include "models/formats/vtd_registers.h"
#include "models/reference/reference_context.h"
#include "models/reference/reference_stages.h"

namespace svasim {
namespace {

ReferenceResult fail(ReferenceResult result, const ReferenceRequest& request, FaultReason reason, bool fpd) {
  result.ok = false;
  result.read = result.write = false;
  result.fault = reason;
  result.answer = fault_answer(reason, request.kind);
  // A page request that meets a fault the table leaves open for it has not been queued.
  if (request.kind == RequestKind::kPageRequest && result.answer == FaultAnswer::kNotApplicable) {
    result.answer = FaultAnswer::kInvalidRequest;
  }
  result.recoverable = fault_is_recoverable(reason, request.kind);
  result.logged = fault_is_logged(reason, request.kind) && !(fpd && fault_is_qualified(reason));
  result.updates.clear();
  return result;
}

bool in_interrupts(Addr address) { return (address >> 20) == 0xFEE; }

}  // namespace

ReferenceResult ReferenceTranslator::translate(const ReferenceRequest& request) {
  return run(request, &memory_);
}

ReferenceResult ReferenceTranslator::probe(const ReferenceRequest& request) const {
  return run(request, nullptr);
}

ReferenceResult ReferenceTranslator::run(const ReferenceRequest& request, MemoryView* writable) const {
  ReferenceResult result;
  const bool untranslated = request.kind == RequestKind::kUntranslated;
  const bool asks_translation = request.kind == RequestKind::kTranslationRequest;

  // SPEC: [VTD 3.14] plain writes to the interrupt range are interrupts. MODEL: plain reads of it are
  // refused without a record.
  if (untranslated && !request.has_pasid && in_interrupts(request.address)) {
    result.interrupt = request.write && !request.read;
    result.ok = result.interrupt;
    if (!result.ok) result.answer = FaultAnswer::kUnsupportedRequest;
    return result;
  }
  // SPEC: [VTD 4.2] without translation plain requests pass and all others are refused.
  if (!registers_.translation_enabled) {
    result.ok = untranslated;
    result.address = request.address;
    result.read = result.write = result.ok;
    if (!result.ok) {
      result.answer = request.kind == RequestKind::kPageRequest ? FaultAnswer::kInvalidRequest
                                                                : FaultAnswer::kUnsupportedRequest;
    }
    return result;
  }

  // 1. Root, context, PASID.
  const ReferenceContext context = find_context(memory_, registers_, request);
  const bool fpd = context.fault_processing_disabled;
  result.domain = context.domain;
  result.pasid = context.pasid;
  result.privileged = request.has_pasid && context.privileged;
  result.non_snooped_allowed = !context.page_snoop;
  if (context.fault != FaultReason::kNone) return fail(result, request, context.fault, fpd);

  // 2. A page request is now good for the queue.
  if (request.kind == RequestKind::kPageRequest) {
    result.ok = true;
    return result;
  }

  // 3. SPEC: [VTD 4.2.3] a plain translation request for the interrupt range: no translation, but
  // untranslated writes may go there.
  if (asks_translation && !request.has_pasid && in_interrupts(request.address)) {
    result.untranslated_only = result.write = result.ok = !request.no_write;
    result.address = request.address;
    result.page_shift = 12;
    if (!result.ok) result.answer = FaultAnswer::kNoRights;
    return result;
  }

  // 4. A host address as input: translated requests and pass-through.
  const FaultReason too_wide =
      context.legacy ? FaultReason::kLegacyAddressBeyondWidth : FaultReason::kHostAddressBeyondWidth;
  const FaultReason interrupt_output =
      context.legacy ? FaultReason::kLegacyOutputInInterruptRange : FaultReason::kOutputInInterruptRange;
  if (context.passes_translated || context.translation == PasidGranularTranslation::kPassThrough) {
    if ((request.address >> registers_.host_address_width) != 0) return fail(result, request, too_wide, fpd);
    if (in_interrupts(request.address)) return fail(result, request, interrupt_output, fpd);
    result.ok = true;
    result.address = request.address;
    result.page_shift = 12;
    result.read = true;
    result.write = !(asks_translation && request.no_write && VtdEcap::NWFS::get(registers_.ecap) != 0);
    return result;
  }

  // 5. The input's width: canonical for a first stage, within min(MGAW, AGAW) for a second stage alone.
  const bool first_stage = context.first_stage_levels != 0;
  if (first_stage) {
    const unsigned sign = 12 + 9 * context.first_stage_levels - 1;
    const std::uint64_t upper = request.address >> sign;
    if (upper != 0 && upper != (~std::uint64_t{0} >> sign)) {
      return fail(result, request, FaultReason::kNotCanonical, fpd);
    }
  } else {
    const unsigned width = std::min(static_cast<unsigned>(VtdCap::MGAW::get(registers_.cap)) + 1,
                                    12 + 9 * context.second_stage_levels);
    if ((request.address >> width) != 0) {
      return fail(
          result, request,
          context.legacy ? FaultReason::kLegacyAddressBeyondWidth : FaultReason::kSecondStageBeyondWidth,
          fpd);
    }
  }

  // 6. The walks. SPEC: [VTD 4.2.3] a translation request without NW counts as read and write.
  const bool no_write = asks_translation && request.no_write && VtdEcap::NWFS::get(registers_.ecap) != 0;
  const bool wants_write = asks_translation ? !no_write : request.write;
  ReferenceUpdates updates;
  const ReferenceAccess access{request.read, wants_write, request.zero_length, !asks_translation};
  const ReferenceLeaf leaf =
      first_stage ? walk_first_stage(memory_, registers_, context, request.address, access, updates)
                  : walk_second_stage(memory_, registers_, context, request.address, wants_write, updates);
  if (leaf.fault != FaultReason::kNone) return fail(result, request, leaf.fault, fpd);

  // 7. Rights. SPEC: [VTD 3.6.1, 3.7.1]
  const FaultReason no_write_fault = context.legacy ? FaultReason::kLegacyNoWrite : FaultReason::kNoWrite;
  const FaultReason no_read_fault = context.legacy ? FaultReason::kLegacyNoRead : FaultReason::kNoRead;
  if (first_stage && !context.privileged && !leaf.user) {
    return fail(result, request, FaultReason::kUserNotAllowed, fpd);
  }
  if (asks_translation) {
    result.read = leaf.read;
    result.write = leaf.write && !no_write;
    if (!leaf.read && !leaf.write) return fail(result, request, no_read_fault, fpd);
  } else {
    result.read = leaf.read;
    result.write = leaf.write;
    const bool zero_length_ok = request.zero_length && leaf.write && VtdCap::ZLR::get(registers_.cap) != 0;
    if (request.write && !leaf.write) return fail(result, request, no_write_fault, fpd);
    if (request.read && !leaf.read && !zero_length_ok) return fail(result, request, no_read_fault, fpd);
  }

  // 8. Bits of the leaf that cannot be set.
  if (const FaultReason refused = updates.refused(context); refused != FaultReason::kNone) {
    return fail(result, request, refused, fpd);
  }
  // NW only takes from the answer: the page was there to be written.
  if (!result.read && !result.write) return fail(result, request, no_read_fault, fpd);

  // 9. DMA does not reach the interrupt range.
  if (in_interrupts(leaf.address)) return fail(result, request, interrupt_output, fpd);

  // 10. Accessed and dirty bits, before the translation may be used.
  for (const ReferenceUpdates::Item& item : updates.items) {
    if (writable != nullptr) {
      std::uint64_t value = 0;
      if (!writable->read64(item.entry, value) || !writable->write64(item.entry, value | item.bits)) {
        return fail(result, request, item.failed, fpd);
      }
    }
    result.updates.push_back({item.entry, item.bits});
  }

  result.ok = true;
  result.address = leaf.address;
  result.page_shift = leaf.page_shift;
  result.non_snooped_allowed = !context.page_snoop && !leaf.snoop;
  return result;
}

}  // namespace svasim
