#include "models/iommu/register_invalidation.h"

namespace svasim {

namespace {

using Kind = InvalidationOperation::Kind;
using Scope = InvalidationScope::Kind;

// The codes of the registers' granularities.
enum Granularity : std::uint64_t { kNone = 0, kGlobal = 1, kDomain = 2, kSelective = 3 };

DomainId domain(std::uint64_t did) { return DomainId(static_cast<std::uint16_t>(did)); }

}  // namespace

bool RegisterInvalidation::write_context(std::uint64_t value) {
  using R = VtdCcmd;
  if (R::ICC::get(context_) != 0) {
    return false;
  }
  context_ = value & (R::ICC::kMask | R::CIRG::kMask | R::FM::kMask | R::SID::kMask | R::DID::kMask);
  return R::ICC::get(value) != 0;
}

bool RegisterInvalidation::write_translations(std::uint64_t value) {
  using R = VtdIotlb;
  if (R::IVT::get(translations_) != 0) {
    return false;
  }
  translations_ = value & (R::IVT::kMask | R::IIRG::kMask | R::DR::kMask | R::DW::kMask | R::DID::kMask);
  return R::IVT::get(value) != 0;
}

std::optional<InvalidationOperation> RegisterInvalidation::start(Command command, bool allowed,
                                                                 unsigned max_address_mask) {
  if (!allowed) {
    return {};
  }
  InvalidationOperation operation;
  if (command == Command::kContext) {
    using R = VtdCcmd;
    // SPEC: [VTD 11.4.6] FM leaves the low bits of the function number out of the comparison.
    static constexpr std::uint16_t kMasks[] = {0, 4, 6, 7};
    const std::uint64_t granularity = R::CIRG::get(context_);
    operation.did = domain(R::DID::get(context_));
    operation.requester = RequesterId(static_cast<std::uint16_t>(R::SID::get(context_)));
    operation.requester_mask = kMasks[R::FM::get(context_)];
    switch (granularity) {
      case kGlobal:
        operation.kind = Kind::kContextGlobal;
        break;
      case kDomain:
        operation.kind = Kind::kContextDomain;
        break;
      case kSelective:
        operation.kind = Kind::kContextDevice;
        break;
      default:
        return {};
    }
    context_ = R::CAIG::set(context_, granularity);
    return operation;
  }
  using R = VtdIotlb;
  std::uint64_t granularity = R::IIRG::get(translations_);
  operation.kind = Kind::kTranslations;
  operation.scope.did = domain(R::DID::get(translations_));
  operation.drain_reads = R::DR::get(translations_) != 0;
  operation.drain_writes = R::DW::get(translations_) != 0;
  switch (granularity) {
    case kGlobal:
      operation.scope.kind = Scope::kGlobal;
      break;
    case kDomain:
      operation.scope.kind = Scope::kDomain;
      break;
    case kSelective:
      // SPEC: [VTD 11.4.7] more pages than CAP.MAMV allows: hardware falls back to the domain.
      if (VtdIva::AM::get(address_) > max_address_mask) {
        operation.scope.kind = Scope::kDomain;
        granularity = kDomain;
        break;
      }
      operation.scope.kind = Scope::kDomainPage;
      operation.scope.address = VtdIva::ADDR::in_place(address_);
      operation.scope.shift = kPageShift + static_cast<unsigned>(VtdIva::AM::get(address_));
      operation.scope.leaf_only = VtdIva::IH::get(address_) != 0;
      break;
    default:
      return {};
  }
  translations_ = R::IAIG::set(translations_, granularity);
  return operation;
}

void RegisterInvalidation::done(Command command) {
  if (command == Command::kContext) {
    context_ &= ~VtdCcmd::ICC::kMask;
  } else {
    translations_ &= ~VtdIotlb::IVT::kMask;
  }
}

}  // namespace svasim
