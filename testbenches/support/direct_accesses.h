// A device's side of direct access to memory, for scripted devices: any requester, PASID and right.
#pragma once

#include <cstring>
#include <map>
#include <memory>
#include <tuple>

#include "tlm/direct_grant.h"

namespace svasim::test {

// Keeps what each granted page was answered when it was asked for: a direct access is answered the same.
class DirectAccesses {
 public:
  // Makes the access if its page is granted; the answer is then in the payload.
  bool make(Transaction& request) {
    const auto found = spaces_.find(space_of(request));
    if (found == spaces_.end()) return false;
    Space& space = *found->second;
    DirectPages::Page* page = space.pages.find(request.get_address());
    if (page == nullptr) return false;
    unsigned char* memory = page->use(request.get_address());
    if (request.is_write()) {
      std::memcpy(memory, request.get_data_ptr(), request.get_data_length());
    } else {
      std::memcpy(request.get_data_ptr(), memory, request.get_data_length());
    }
    const Ps latency = page->path->latency;
    const Attribution attribution = page->path->attribution;
    space.pages.settle([](const DirectPages::Path&, std::uint64_t) {});
    request.pcie.status = CompletionStatus::kSuccess;
    request.pcie.translation = space.answers.at(request.get_address() >> kPageShift);
    request.pcie.attribution = attribution;
    request.set_response_status(tlm::TLM_OK_RESPONSE);
    latency_ = latency;
    ++made_;
    return true;
  }
  // After an answer by call: asks when the answer says that it may.
  void ask(InitiatorSocket<PcieProtocol>& socket, Transaction& request) {
    if (!request.is_dmi_allowed() || request.pcie.status != CompletionStatus::kSuccess) return;
    std::unique_ptr<Space>& space = spaces_[space_of(request)];
    if (!space) space = std::make_unique<Space>();
    space->answers[request.get_address() >> kPageShift] = request.pcie.translation;
    space->pages.ask(socket, request);
  }
  void revoke(Addr first, Addr last) {
    ++revocations_;
    for (auto& [key, space] : spaces_) space->pages.revoke(first, last);
  }

  Ps latency() const { return latency_; }  // of the last one
  std::uint64_t made() const { return made_; }
  std::uint64_t revocations() const { return revocations_; }

 private:
  using Key = std::tuple<bool, unsigned, unsigned, AddressType, bool, Pasid, bool, bool>;
  struct Space {
    DirectPages pages;
    std::map<Addr, Translation> answers;
  };
  static Key space_of(const Transaction& t) {
    return {t.is_write(),     t.get_data_length(), t.pcie.requester.value(), t.pcie.at,
            t.pcie.has_pasid, t.pcie.pasid,        t.pcie.privileged,        t.pcie.execute};
  }

  std::map<Key, std::unique_ptr<Space>> spaces_;
  Ps latency_ = 0;
  std::uint64_t made_ = 0;
  std::uint64_t revocations_ = 0;
};

}  // namespace svasim::test
