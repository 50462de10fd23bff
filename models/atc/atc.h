// A device's address translation cache with its ATS and PRI agent.
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <systemc>
#include <vector>

#include "models/atc/atc_cache.h"
#include "models/atc/atc_params.h"
#include "models/atc/atc_stats.h"
#include "models/atc/page_requester.h"
#include "tlm/context.h"
#include "tlm/delay_queue.h"
#include "tlm/inspect.h"
#include "tlm/sockets.h"
#include "tlm/transaction.h"
#include "tlm/wake.h"

namespace svasim {

// Stands between a device and its link and makes any device an ATS device:
//
//   device side                                  link side
//   up_in    <- reads and writes by virtual      up_out  -> translated requests, translation requests,
//               address, translation requests               page requests, invalidate completions
//   down_out -> MMIO accesses (may stay unbound) down_in <- invalidate requests, page group responses,
//                                                           MMIO accesses
//
// The device sends accesses that stay within a 4-KiB page. Towards it, END_REQ says that the request
// left for the link (a write is posted now) or failed, BEGIN_RESP how it ended: PcieExtension's
// `outcome`, then `status`. A translation request of the device is answered from the cache, or by
// asking the translation agent, with page requests if need be; so a device can make sure of a page.
// A stop marker of the device ends the accesses of its PASID that wait for pages, and is sent on.
// Writes leave in the order in which they came, except those marked `relaxed`. Writes without PASID
// to 0xFEExxxxx are interrupts and never translated.
//
// Loose timing: b_transport does the whole access. One that has to wait for a page is answered with
// outcome kWait; the device sends it again, unchanged, with nb_transport. Messages, also
// stop markers, use nb_transport in both modes.
class Atc : public sc_core::sc_module,
            public Inspectable,
            public TranslationUser,
            private FwReceiver,
            private BwReceiver {
 public:
  Atc(sc_core::sc_module_name name, const AtcParams& params, SimContext& context);

  TargetSocket<PcieProtocol>& up_in() { return up_in_; }
  InitiatorSocket<PcieProtocol>& up_out() { return up_out_; }
  TargetSocket<PcieProtocol>& down_in() { return down_in_; }
  InitiatorSocket<PcieProtocol, sc_core::SC_ZERO_OR_MORE_BOUND>& down_out() { return down_out_; }

  // As software would through the capabilities' control registers. Enabling empties the cache.
  // SPEC: [ATS 4.3]
  void enable_ats(bool on);
  bool ats_enabled() const { return ats_; }
  void enable_page_requests(unsigned allocation) { pages_.enable(allocation); }
  bool page_requests_enabled() const { return pages_.enabled(); }

  const AtcStats& stats() const { return stats_; }
  const AtcCache& cache(unsigned engine = 0, unsigned field = 0) const {
    return *caches_[(engine % params_.engines) * params_.fields + field % params_.fields];
  }
  const PageRequester& page_requester() const { return pages_; }
  const Wake& wake() const { return wake_; }

  CoveringInvalidation covering(const TranslationUse& use) const override;

  unsigned page_request_credits() const { return pages_.credits(); }
  std::uint64_t in_flight() const override;
  void dump_in_flight(std::ostream& out) const override;

 private:
  static constexpr std::uint32_t kNone = PageRequester::kNone;
  static constexpr unsigned kTrafficClasses = 8;
  enum Port : unsigned { kUpIn, kUpOut, kDownIn, kDownOut };

  // Order of work at one instant.
  enum class Work : std::uint8_t { kTranslated, kMessage, kCompletion, kTimeout, kRetry, kAccess };
  struct Item {
    Work kind = Work::kAccess;
    std::uint32_t index = 0;
    std::uint64_t number = 0;
    tlm::tlm_generic_payload* payload = nullptr;
  };

  enum class State : std::uint8_t { kFree, kTranslating, kQueued, kPaging, kBackoff, kReady, kSent };
  struct Access {
    tlm::tlm_generic_payload* payload = nullptr;
    PcieExtension* pcie = nullptr;
    State state = State::kFree;
    bool write = false;    // needs the right to write
    bool ordered = false;  // in order_
    bool no_snoop = false;
    bool stopped = false;  // its PASID is
    bool faulted = false;  // waits for a page, or did; its FaultTimes are valid
    std::uint16_t cache = 0;
    std::uint8_t traffic_class = 0;
    Pasid own_pasid;     // the device's word for it
    unsigned tries = 0;  // page group responses with Success so far
    std::uint32_t next = kNone;
    std::uint32_t drains = 0;  // invalidations that wait for it, by ITag
    AtsSpace space;
    Addr address = 0;
    AddressType at = AddressType::kUntranslated;
    AtcEntry translation;  // used; valid from kReady on
    Ps arrived = 0;
  };
  // Where the time of an access's page fault went so far.
  struct FaultTimes {
    std::array<Ps, kFaultParts> parts{};
    Ps mark = 0;
    void charge(FaultPart part, Ps until) {
      until = std::max(until, mark);
      parts[static_cast<std::size_t>(part)] += until - mark;
      mark = until;
    }
  };

  struct Request {  // an outstanding translation request
    AtsSpace space;
    Addr page = 0;
    bool no_write = false;
    bool active = false;
    std::uint16_t cache = 0;
    unsigned translations = 1;   // asked for
    std::uint64_t position = 0;  // in the invalidation log
    std::uint64_t order = 0;     // among requests for a cache of one entry
    std::uint32_t first = kNone;
    std::uint32_t last = kNone;
    Ps sent = 0;
    std::array<std::uint64_t, kMaxTranslations> entries{};  // room for the completion's data

    bool covers(Addr other) const { return other - page < Addr{translations} * kPageSize; }
  };
  struct Held {  // a translation a descriptor in progress has been given
    AtsSpace space;
    Addr page = 0;
    AtcEntry translation;  // page_shift 0: none
  };
  struct Answer {  // a page and its translation
    Addr page = 0;
    unsigned shift = 0;
    AtcEntry translation;
  };

  struct Message {
    tlm::tlm_generic_payload* payload = nullptr;  // to be answered; nullptr if already
    PcieExtension pcie;
  };

  struct Invalidation {  // by ITag
    bool active = false;
    bool misbehaves = false;
    bool logged = false;
    std::uint64_t position = 0;                     // in the log
    std::uint8_t waiting = 0;                       // traffic classes not completed, as bits
    std::array<unsigned, kTrafficClasses> reads{};  // outstanding reads that used a covered translation
    Ps arrived = 0;
    RequesterId requester;
  };
  struct Completion {  // waits for others to leave with it
    RequesterId requester;
    std::uint8_t traffic_class = 0;
    std::uint32_t itags = 0;  // 0: unused
    Ps due = 0;
  };

  tlm::tlm_sync_enum nb_transport_fw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  tlm::tlm_sync_enum nb_transport_bw(unsigned port, tlm::tlm_generic_payload& payload, tlm::tlm_phase& phase,
                                     sc_core::sc_time& delay) override;
  void b_transport(unsigned port, tlm::tlm_generic_payload& payload, sc_core::sc_time& delay) override;
  unsigned transport_dbg(unsigned port, tlm::tlm_generic_payload& payload) override;

  void run();
  bool someone_waits() const;
  AtcCache& cache_of(const Access& access) { return *caches_[access.cache]; }
  std::uint16_t cache_number(const PcieExtension& pcie) const {
    return static_cast<std::uint16_t>((pcie.engine % params_.engines) * params_.fields +
                                      pcie.field % params_.fields);
  }
  // What a descriptor in progress works with, atc_translation.cpp.
  // WHY: what stays in a cache of one entry is the last page asked for, in whatever order answers come.
  bool is_newest(const Request& request) const {
    return params_.cache.entries != 1 || request.order == newest_[request.cache];
  }
  void hold(const PcieExtension& request, const AtsSpace& space, Addr page, const AtcEntry& translation);
  const AtcEntry* held(const PcieExtension& pcie, const AtsSpace& space, Addr address, bool write) const;
  void drop_held(const AtcInvalidation& what);
  // Whether it is the turn of something configured to be done wrong.
  bool wrong_turn(std::uint64_t& turn) { return turn++ % params_.misbehave.every == 0; }
  void push(Ps due, Work kind, std::uint64_t number, std::uint32_t index, tlm::tlm_generic_payload* payload);
  void take_message(tlm::tlm_generic_payload* to_answer, const PcieExtension& pcie, Ps due);

  // One access, atc_access.cpp.
  void accept(tlm::tlm_generic_payload& payload);
  void start(std::uint32_t slot, tlm::tlm_generic_payload& payload);
  void look_up(std::uint32_t slot, bool first);
  void need_translation(std::uint32_t slot);
  void queued_translations();
  void use(std::uint32_t slot, const AtcEntry& translation, Ps ready);
  void fault(std::uint32_t slot);
  void send_in_order(Ps ready);
  void send(std::uint32_t slot, Ps ready);
  void finish(std::uint32_t slot, AccessOutcome outcome, CompletionStatus status, Ps when);
  void free_slot(std::uint32_t slot);
  void restore(const Access& access);
  // To who watches the uses of translations.
  void report_use(const PcieExtension& pcie, const AtsSpace& space, Addr address, std::uint64_t length,
                  const AtcEntry& entry) const;
  void resume(std::uint32_t slot, unsigned code);
  bool passes_untranslated(const PcieExtension& pcie, Addr address) const;
  Pasid take_pasid(PcieExtension& pcie);
  unsigned translations_from(const AtcCache& cache, const AtsSpace& space, Addr page) const;
  void access_blocking(tlm::tlm_generic_payload& payload, sc_core::sc_time& delay);

  // Translation requests, atc_translation.cpp.
  Transaction& make_translation_request(const AtsSpace& space, Addr page, unsigned translations,
                                        bool no_write, std::uint64_t* entries, Ps when);
  void translated(tlm::tlm_generic_payload& payload);
  // What a successful completion gave that no invalidation has overtaken: into answers_ and the cache, if
  // any.
  void take_translations(const tlm::tlm_generic_payload& payload, AtcCache* cache, const AtsSpace& space,
                         Addr page, unsigned asked, std::uint64_t position, Ps sent);
  const Answer* answer_for(Addr address) const;
  void refused(CompletionStatus status);

  // Invalidations, atc_invalidation.cpp.
  void invalidate(const PcieExtension& request);
  void drop(const AtcInvalidation& what, unsigned itag);
  void read_done(std::uint32_t slot);
  void class_drained(unsigned itag, unsigned traffic_class);
  void combined_completion(std::uint32_t index);
  void send_completion(RequesterId requester, unsigned traffic_class, std::uint32_t itags, Ps when);

  // Page requests, atc_pages.cpp.
  void page_response(const PcieExtension& response);
  void send_page_request(const PageRequester::Message& request);
  void response_overdue(unsigned group, std::uint64_t serial);
  void stop_pasid(tlm::tlm_generic_payload& marker);
  void charge_try(std::uint32_t slot, unsigned group, Ps sent, Ps now);
  void fault_ended(std::uint32_t slot, Ps ready);
  // Adds who waited for the wish to resumed_.
  void collect_waiters(std::uint32_t wish);

  // Messages, atc.cpp.
  void message(std::uint32_t index);
  void send_message(Transaction& message, Ps when);
  void transmit(tlm::tlm_generic_payload& payload, Ps when);
  void answered(tlm::tlm_generic_payload& payload, Ps when);

  AtcParams params_;
  SimContext& context_;
  TargetSocket<PcieProtocol> up_in_;
  InitiatorSocket<PcieProtocol> up_out_;
  TargetSocket<PcieProtocol> down_in_;
  InitiatorSocket<PcieProtocol, sc_core::SC_ZERO_OR_MORE_BOUND> down_out_;
  Wake wake_;

  bool ats_;
  const RetryPolicy& retry_;
  std::vector<std::unique_ptr<AtcCache>> caches_;  // by engine, then field
  std::vector<std::uint64_t> newest_;              // request of each cache of one entry
  std::uint64_t asked_ = 0;
  std::vector<Held> held_;  // by holder
  InvalidationLog log_;
  PageRequester pages_;

  DelayQueue<Item> work_;
  // Slots whose response is on its way to the device: looked at only when somebody waits for one.
  DelayQueue<std::uint32_t> released_;
  std::vector<Access> accesses_;
  std::vector<FaultTimes> fault_times_;  // by slot
  std::vector<std::uint32_t> free_accesses_;
  std::deque<tlm::tlm_generic_payload*> waiting_;  // for a slot
  std::deque<std::uint32_t> order_;                // writes that keep their order
  std::vector<Request> requests_;
  std::vector<std::uint32_t> free_requests_;
  std::deque<std::uint32_t> queued_;  // accesses waiting for a translation request
  std::vector<Message> messages_;
  std::vector<std::uint32_t> free_messages_;
  std::array<Invalidation, kItags> invalidations_{};
  unsigned active_invalidations_ = 0;
  std::vector<Completion> completions_;
  std::vector<Answer> answers_;
  // When the last write or message of a traffic class leaves.
  std::array<Ps, kTrafficClasses> last_posted_{};
  // Of invalidate requests, groups and accesses, for those to be done wrong.
  std::uint64_t invalidation_turn_ = 0;
  std::uint64_t group_turn_ = 0;
  std::uint64_t access_turn_ = 0;
  std::uint64_t next_id_;  // of requests of our own
  RequesterId requester_;  // of the device, from its accesses
  std::vector<std::uint32_t> resumed_;
  AtcStats stats_;
};

}  // namespace svasim
