// What a script proves about faults: the answer a kind of request got to a reason that was seen in a record.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/types.h"
#include "models/formats/vtd_faults.h"

namespace svasim {

struct FaultCase {
  std::uint8_t code = 0;
  RequestKind kind = RequestKind::kUntranslated;
  // "ur", "ca", "no-rights", "effective-rights", "response-1", "dropped".
  std::string answer;
  bool logged = true;
  std::uint64_t line = 0;  // of the request
};

// Collects from what a script checks, and only from that. A fault record belongs to the request whose fields
// it carries. A translation request that is answered without a record has the reason that an untranslated
// request for the same had just before, with nothing changed between, if the script then checks that there is
// no record.
class FaultEvidence {
 public:
  struct Request {
    RequestKind kind = RequestKind::kUntranslated;
    RequesterId requester;
    bool has_pasid = false;
    Pasid pasid;
    bool privileged = false;
    bool execute = false;
    bool write = false;
    bool no_write = false;  // NW of a translation request: it did not ask for writing
    Addr page = 0;
    std::uint8_t at = 0;
    std::string answer;  // as in FaultCase, or "ok"
    // Of a translation request that succeeded.
    bool read_right = false;
    bool write_right = false;
    std::uint64_t line = 0;
  };
  struct Record {
    std::uint8_t code = 0;
    RequesterId requester;
    bool has_pasid = false;
    Pasid pasid;
    Addr page = 0;
    std::uint8_t at = 0;
    std::uint8_t type = 0;  // {T1, T2}
  };

  // A request whose answer the script has checked.
  void asked(const Request& request);
  // A record the script has checked.
  void recorded(const Record& record);
  // The script has checked that there is none.
  void nothing_recorded();
  // Tables, registers or caches may be others now.
  void changed() { causes_.clear(); }

  const std::vector<FaultCase>& cases() const { return cases_; }

 private:
  struct Cause {
    Request request;
    std::uint8_t code = 0;
  };
  static bool same_place(const Request& a, const Request& b);
  static bool belongs(const Record& record, const Request& request);
  void answered_quietly(const Request& request);

  std::vector<Request> open_;       // refused, record not seen yet
  std::vector<Cause> causes_;       // of untranslated requests
  std::vector<FaultCase> pending_;  // until it is checked that nothing was recorded
  std::vector<FaultCase> cases_;
};

// "untranslated", "translation-request", "translated", "page-request".
const char* request_kind_name(RequestKind kind);

}  // namespace svasim
