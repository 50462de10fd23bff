#include "tlm/transaction.h"

#include "base/check.h"

namespace svasim {

void PcieExtension::reset(Ps now) {
  kind = TlpKind::kMemRead;
  at = AddressType::kUntranslated;
  requester = RequesterId();
  has_pasid = false;
  privileged = false;
  execute = false;
  no_write = false;
  no_page_request = false;
  relaxed = false;
  no_snoop = false;
  engine = 0;
  traffic_class = 0;
  field = 0;
  pasid = Pasid();
  ahead = 0;
  holder = 0;
  id = 0;
  iova = 0;
  body = 0;
  itag_vector = 0;
  itag = 0;
  completion_count = 1;
  prg_index = 0;
  response_code = 0;
  status = CompletionStatus::kSuccess;
  translation = kNoTranslation;
  translations = 1;
  fault = FaultReason::kNone;
  outcome = AccessOutcome::kDone;
  known = false;
  slot = 0;
  atc_slot = 0;
  holds_credit = false;
  attribution.start(now);
}

const char* stage_name(Stage stage) {
  static constexpr const char* kNames[kStages] = {
      "device",        "atc",       "link",       "iommu_queue", "iommu_lookup",
      "context_fetch", "walk_wait", "walk_logic", "walk_read",   "page_request",
      "handler_queue", "handler",   "response",   "memory"};
  return kNames[static_cast<std::size_t>(stage)];
}

TransactionPool::~TransactionPool() {
  for (Transaction* transaction : all_) {
    delete transaction;
  }
}

Transaction& TransactionPool::allocate(tlm::tlm_command command, Addr address, unsigned char* data,
                                       std::size_t length, Ps now) {
  if (free_.empty()) {
    all_.push_back(new Transaction(this));
    free_.reserve(all_.capacity());
    free_.push_back(all_.back());
  }
  Transaction& transaction = *free_.back();
  free_.pop_back();
  ++allocated_;
  transaction.acquire();
  transaction.set_command(command);
  transaction.set_address(address);
  transaction.set_data_ptr(data);
  transaction.set_data_length(static_cast<unsigned>(length));
  transaction.set_streaming_width(static_cast<unsigned>(length));
  transaction.set_byte_enable_ptr(nullptr);
  transaction.set_byte_enable_length(0);
  transaction.set_dmi_allowed(false);
  transaction.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
  transaction.set_gp_option(tlm::TLM_MIN_PAYLOAD);
  transaction.pcie.reset(now);
  transaction.pcie.iova = address;
  transaction.pcie.kind = command == tlm::TLM_WRITE_COMMAND ? TlpKind::kMemWrite : TlpKind::kMemRead;
  transaction.source.key = 0;
  transaction.source.rank = 0;
  transaction.source.hops = 0;
  transaction.source.origin = AccessOrigin::kDevice;
  transaction.source.snoop = true;
  return transaction;
}

void TransactionPool::free(tlm::tlm_generic_payload* payload) {
  auto* transaction = static_cast<Transaction*>(payload);
  ++freed_;
  SVASIM_CHECK(freed_ <= allocated_, "a payload was freed twice");
#ifndef NDEBUG
  // WHY: a user of a freed payload shall not find plausible values.
  transaction->set_address(0xDEADDEADDEADDEADULL);
  transaction->set_data_ptr(nullptr);
  transaction->set_data_length(0);
  transaction->set_command(tlm::TLM_IGNORE_COMMAND);
#endif
  free_.push_back(transaction);
}

}  // namespace svasim
