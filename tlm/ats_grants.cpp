#include "tlm/ats_grants.h"

namespace svasim {

bool AtsGrants::Scope::covers(const Space& other, Addr iova, unsigned shift) const {
  // A larger page overlaps when it contains the start of the range.
  return (all_pasids ? other.has_pasid : other == space) &&
         (range.contains(iova) || (shift < 64 && ((iova ^ range.address) >> shift) == 0));
}

bool AtsGrants::answered(const void* key, const std::vector<Translation>& translations) {
  const auto found = requests_.find(key);
  if (found == requests_.end()) return false;
  Addr iova = found->second.iova;
  for (const Translation& translation : translations) {
    const unsigned shift = translation.page_shift < 12 ? 12 : translation.page_shift;
    iova &= mask_between(63, shift);
    if ((translation.read || translation.write) && !translation.untranslated_only) {
      add(found->second, iova, translation);
    }
    iova += Addr{1} << shift;
  }
  requests_.erase(found);
  return true;
}

void AtsGrants::add(const Request& request, Addr iova, const Translation& t) {
  Grant grant{request.space, iova, t.page_shift, t.read, t.write, 0};
  for (const Overtaking& overtaking : request.overtaken) {
    if (!overtaking.scope.covers(grant.space, iova, t.page_shift)) continue;
    if (overtaking.itags == 0) return;
    grant.doomed |= overtaking.itags;
  }
  shifts_ |= std::uint64_t{1} << t.page_shift;
  const auto range = grants_.equal_range(t.address);
  for (auto old = range.first; old != range.second; ++old) {
    Grant& known = old->second;
    if (known.space == grant.space && known.iova == grant.iova && known.shift == grant.shift &&
        known.read == grant.read && known.write == grant.write) {
      known.doomed &= grant.doomed;
      return;
    }
  }
  grants_.emplace(t.address, grant);
}

void AtsGrants::invalidate(unsigned itag, std::uint64_t body, const Space& space) {
  const Scope scope{space, space.has_pasid && InvalidateRequestBody::G::get(body) != 0, decode_range(body)};
  const std::uint32_t bit = std::uint32_t{1} << itag;
  for (auto& entry : grants_) {
    Grant& grant = entry.second;
    if (scope.covers(grant.space, grant.iova, grant.shift)) grant.doomed |= bit;
  }
  for (auto& entry : requests_) entry.second.overtaken.push_back(Overtaking{scope, bit});
}

void AtsGrants::completed(std::uint32_t itags) {
  for (auto grant = grants_.begin(); grant != grants_.end();) {
    grant = (grant->second.doomed & itags) != 0 ? grants_.erase(grant) : std::next(grant);
  }
  for (auto& entry : requests_) {
    for (Overtaking& overtaking : entry.second.overtaken) overtaking.itags &= ~itags;
  }
}

bool AtsGrants::allows(Addr address, bool write) const {
  for (std::uint64_t left = shifts_; left != 0; left &= left - 1) {
    const auto shift = static_cast<unsigned>(__builtin_ctzll(left));
    const auto range = grants_.equal_range(address & mask_between(63, shift));
    for (auto grant = range.first; grant != range.second; ++grant) {
      if (grant->second.shift >= shift && (write ? grant->second.write : grant->second.read)) return true;
    }
  }
  return false;
}

}  // namespace svasim
