#include "tlm/ats_checker.h"

#include "tlm/time.h"
#include "tlm/translation_entry.h"

namespace svasim {

namespace {

AtsRules::Tlp make_tlp(const tlm::tlm_generic_payload& payload, const PcieExtension& pcie) {
  AtsRules::Tlp tlp;
  tlp.kind = pcie.kind;
  tlp.at = pcie.at;
  tlp.requester = pcie.requester;
  tlp.has_pasid = pcie.has_pasid;
  tlp.privileged = pcie.privileged;
  tlp.execute = pcie.execute;
  tlp.pasid = pcie.pasid;
  tlp.address = payload.get_address();
  tlp.length = payload.get_data_length();
  tlp.byte_enables = payload.get_byte_enable_ptr() != nullptr;
  tlp.body = pcie.body;
  tlp.itag_vector = pcie.itag_vector;
  tlp.itag = pcie.itag;
  tlp.completion_count = pcie.completion_count;
  tlp.prg_index = pcie.prg_index;
  tlp.response_code = pcie.response_code;
  tlp.traffic_class = pcie.traffic_class;
  tlp.key = &payload;
  return tlp;
}

std::vector<Translation> translations_of(const tlm::tlm_generic_payload& completion,
                                         const PcieExtension& pcie) {
  std::vector<Translation> all;
  for (unsigned i = 0; pcie.status == CompletionStatus::kSuccess && i < pcie.translations; ++i) {
    all.push_back(translation_of(completion, i));
  }
  return all;
}

// The order of what happens at one instant. WHY: only an order in which every device that obeys the
// rules looks good; a violation by less than a picosecond is none.
std::uint64_t rank(bool completion, TlpKind kind) {
  if (completion) return 0;
  switch (kind) {
    case TlpKind::kMemRead:
    case TlpKind::kMemWrite:
      return 1;
    case TlpKind::kPrgResponse:
      return 2;
    case TlpKind::kPageRequest:
      return 3;
    case TlpKind::kInvalidateRequest:
      return 4;
    case TlpKind::kTranslationRequest:
      return 5;
    case TlpKind::kInvalidateCompletion:
      return 6;
  }
  return 7;
}

}  // namespace

AtsChecker::AtsChecker(const sc_core::sc_module_name& name, const AtsRuleOptions& options)
    : sc_core::sc_module(name),
      upstream_target("upstream_target", *this, kUpstream),
      upstream_initiator("upstream_initiator", *this, kUpstream),
      downstream_target("downstream_target", *this, kDownstream),
      downstream_initiator("downstream_initiator", *this, kDownstream),
      log_(this->name()),
      rules_(options, log_) {}

void AtsChecker::present(const Observation& observation, Ps time) {
  if (observation.completion) {
    rules_.translation_completed(observation.tlp.requester, observation.tlp.key, observation.status,
                                 observation.translations, time);
  } else if (observation.port == kUpstream) {
    rules_.upstream(observation.tlp, time);
  } else {
    rules_.downstream(observation.tlp, time);
  }
}

void AtsChecker::drain(Ps until) {
  while (!pending_.empty() && pending_.due() < until) {
    const Ps due = pending_.due();
    present(pending_.pop(), due);
  }
}

void AtsChecker::observe(Ps due, const Observation& observation) {
  // Everything earlier than now is known by now.
  drain(now_ps());
  pending_.push(due, rank(observation.completion, observation.tlp.kind), observation);
}

tlm::tlm_sync_enum AtsChecker::nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload,
                                               tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  const PcieExtension* pcie = payload.get_extension<PcieExtension>();
  if (phase == tlm::BEGIN_REQ && pcie != nullptr) {
    Observation observation;
    observation.port = static_cast<Port>(port);
    observation.tlp = make_tlp(payload, *pcie);
    observe(now_ps() + delay.value(), observation);
  }
  return (port == kUpstream ? upstream_initiator : downstream_initiator)
      ->nb_transport_fw(payload, phase, delay);
}

tlm::tlm_sync_enum AtsChecker::nb_transport_bw(unsigned port, tlm::tlm_generic_payload& payload,
                                               tlm::tlm_phase& phase, sc_core::sc_time& delay) {
  const PcieExtension* pcie = payload.get_extension<PcieExtension>();
  if (phase == tlm::BEGIN_RESP && port == kUpstream && pcie != nullptr &&
      pcie->kind == TlpKind::kTranslationRequest) {
    Observation observation;
    observation.completion = true;
    observation.tlp = make_tlp(payload, *pcie);
    observation.status = pcie->status;
    observation.translations = translations_of(payload, *pcie);
    observe(now_ps() + delay.value(), observation);
  }
  return (port == kUpstream ? upstream_target : downstream_target)->nb_transport_bw(payload, phase, delay);
}

// WHY: in loose timing the order of calls is the order in which the models change their state;
// annotated delays run ahead of it.
void AtsChecker::b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) {
  const PcieExtension* pcie = payload.get_extension<PcieExtension>();
  Observation observation;
  if (pcie != nullptr) {
    observation.port = static_cast<Port>(port);
    observation.tlp = make_tlp(payload, *pcie);
    drain(now_ps() + 1);
    present(observation, now_ps() + delay.value());
  }
  (port == kUpstream ? upstream_initiator : downstream_initiator)->b_transport(payload, delay);
  payload.set_dmi_allowed(false);  // it has to see every access
  if (pcie != nullptr && port == kUpstream && pcie->kind == TlpKind::kTranslationRequest) {
    observation.completion = true;
    observation.status = pcie->status;
    observation.translations = translations_of(payload, *pcie);
    present(observation, now_ps() + delay.value());
  }
}

unsigned AtsChecker::transport_dbg(unsigned port, tlm::tlm_generic_payload& payload) {
  return (port == kUpstream ? upstream_initiator : downstream_initiator)->transport_dbg(payload);
}

void AtsChecker::finish() {
  drain(kNever);
  rules_.finish(now_ps());
}

}  // namespace svasim
