// Invalidate requests and their completions. SPEC: [ATS 4]
#include <algorithm>

#include "base/check.h"
#include "models/atc/atc.h"

namespace svasim {

void Atc::invalidate(const PcieExtension& request) {
  SVASIM_CHECK(request.itag < kItags, "ITag of more than 5 bits");
  stats_.invalidations.add();
  const auto what = AtcInvalidation::of(request.body, request.has_pasid, request.pasid,
                                        params_.plain_invalidation_drops_pasid);
  Invalidation& invalidation = invalidations_[request.itag];
  if (!invalidation.active) {
    invalidation = Invalidation();
    invalidation.active = true;
    ++active_invalidations_;
  }
  invalidation.arrived = now_ps();
  invalidation.requester = request.requester;
  invalidation.waiting = static_cast<std::uint8_t>((1U << params_.traffic_classes) - 1);
  invalidation.misbehaves = wrong_turn(invalidation_turn_);
  if (invalidation.misbehaves && params_.misbehave.keeps_translations) {
    stats_.misbehaved.add();
  } else {
    drop(what, request.itag);
  }
  for (unsigned tc = 0; tc < params_.traffic_classes; ++tc) {
    if (invalidation.reads[tc] == 0) {
      class_drained(request.itag, tc);
    }
  }
  if (invalidation.waiting != 0) {
    stats_.invalidations_drained.add();
  }
}

// Nothing uses what it covers any more, except reads already sent, which it has to wait for.
void Atc::drop(const AtcInvalidation& what, unsigned itag) {
  Invalidation& invalidation = invalidations_[itag];
  invalidation.logged = true;
  invalidation.position = log_.position();
  log_.add(what, now_ps());
  for (const auto& cache : caches_) {
    cache->invalidate(what);
  }
  drop_held(what);
  const std::uint32_t bit = std::uint32_t{1} << itag;
  for (std::uint32_t slot = 0; slot < accesses_.size(); ++slot) {
    Access& access = accesses_[slot];
    if ((access.state != State::kSent && access.state != State::kReady) ||
        access.translation.untranslated_only) {
      continue;
    }
    const unsigned shift = access.translation.page_shift;
    const bool global = access.translation.global && access.space.has_pasid;
    if (!what.covers(access.space, (access.address >> shift) << shift, shift, global)) {
      continue;
    }
    if (access.state == State::kReady) {
      look_up(slot, false);
    } else if (!access.write && (access.drains & bit) == 0) {
      // SPEC: [ATS 4.2]: reads must be finished; writes are pushed by the completion behind them.
      access.drains |= bit;
      ++invalidation.reads[access.traffic_class];
    }
  }
}

void Atc::read_done(std::uint32_t slot) {
  const Access& access = accesses_[slot];
  for (std::uint32_t drains = access.drains; drains != 0; drains &= drains - 1) {
    const auto itag = static_cast<unsigned>(__builtin_ctz(drains));
    if (--invalidations_[itag].reads[access.traffic_class] == 0) {
      class_drained(itag, access.traffic_class);
    }
  }
}

// SPEC: [ATS 4.2]: one completion per traffic class, behind the writes of that class.
void Atc::class_drained(unsigned itag, unsigned traffic_class) {
  Invalidation& invalidation = invalidations_[itag];
  const Ps when = std::max(
      {now_ps() + 1, invalidation.arrived + params_.invalidation_latency, last_posted_[traffic_class] + 1});
  invalidation.waiting &= static_cast<std::uint8_t>(~(1U << traffic_class));
  if (invalidation.waiting == 0) {
    invalidation.active = false;
    --active_invalidations_;
    stats_.invalidation_latency.record(when - invalidation.arrived);
    if (invalidation.logged) {
      log_.completed(invalidation.position, when);
    }
  }
  const std::uint32_t bit = std::uint32_t{1} << itag;
  if (invalidation.misbehaves && params_.misbehave.never_completes) {
    return stats_.misbehaved.add();
  }
  if (invalidation.misbehaves && params_.misbehave.completes_twice) {
    stats_.misbehaved.add();
    send_completion(invalidation.requester, traffic_class, bit, when);
    return send_completion(invalidation.requester, traffic_class, bit, when + 1);
  }
  if (params_.combine_window == 0) {
    return send_completion(invalidation.requester, traffic_class, bit, when);
  }
  std::uint32_t unused = static_cast<std::uint32_t>(completions_.size());
  for (std::uint32_t i = 0; i < completions_.size(); ++i) {
    Completion& other = completions_[i];
    if (other.itags == 0) {
      unused = i;
    } else if (other.requester == invalidation.requester && other.traffic_class == traffic_class &&
               when <= other.due) {
      other.itags |= bit;
      return;
    }
  }
  if (unused == completions_.size()) {
    completions_.emplace_back();
  }
  const Ps due = when + params_.combine_window;
  completions_[unused] =
      Completion{invalidation.requester, static_cast<std::uint8_t>(traffic_class), bit, due};
  push(due, Work::kCompletion, 0, unused, nullptr);
}

void Atc::combined_completion(std::uint32_t index) {
  Completion& completion = completions_[index];
  const Ps when = std::max(now_ps() + 1, last_posted_[completion.traffic_class] + 1);
  send_completion(completion.requester, completion.traffic_class, completion.itags, when);
  completion.itags = 0;
}

void Atc::send_completion(RequesterId requester, unsigned traffic_class, std::uint32_t itags, Ps when) {
  Transaction& completion = context_.pool.allocate(tlm::TLM_IGNORE_COMMAND, 0, nullptr, 0, when);
  completion.pcie.kind = TlpKind::kInvalidateCompletion;
  completion.pcie.requester = requester;
  completion.pcie.itag_vector = itags;
  completion.pcie.completion_count = static_cast<std::uint8_t>(params_.traffic_classes & 7U);
  completion.pcie.traffic_class = static_cast<std::uint8_t>(traffic_class);
  stats_.invalidate_completions.add();
  send_message(completion, when);
}

CoveringInvalidation Atc::covering(const TranslationUse& use) const {
  return log_.covering(AtsSpace{use.has_pasid, use.privileged, use.pasid}, use);
}

}  // namespace svasim
