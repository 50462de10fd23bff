// An untimed DSA: executes one descriptor, or a batch, on whole buffers.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "models/formats/dsa_descriptor.h"
#include "models/reference/memory_view.h"

namespace svasim {

// What a descriptor is submitted to.
struct ReferenceDsaConfig {
  unsigned version = 1;
  bool ats = true;
  bool page_requests = true;   // on for the queue
  bool block_on_fault = true;  // of the queue
  bool pasid_enable = true;
  bool privileged = false;
  bool shared = false;            // PASID and privilege are the descriptor's
  bool privilege_allowed = true;  // by the PASID capability
  bool event_log = false;
  bool user_interrupts = false;
  bool overlapping_copy = true;
  std::uint64_t max_transfer = 1U << 20;
  std::uint64_t max_batch = 16;
  std::uint64_t operations = ~std::uint64_t{0};  // OPCFG
  std::vector<bool> interrupts;                  // handles; true: the queue's PASID may use it
};

// Memory in which pages can be missing. Everything is there unless said otherwise.
class ReferenceDsaMemory {
 public:
  enum class Answer : std::uint8_t { kGranted, kFault, kInvalid, kFailure };
  struct Page {
    bool read = false;
    bool write = false;
    Answer response = Answer::kGranted;  // to a page request; granted: it is there from then on
  };

  explicit ReferenceDsaMemory(MemoryView& memory) : memory_(memory) {}
  std::map<Addr, Page> missing;  // by address of the page
  // Outside of this nothing is, and nothing comes.
  Addr low = 0;
  Addr high = ~Addr{0};

  // The right to a page; `request`: missing ones are asked for.
  Answer use(Addr address, bool write, bool request);
  std::uint8_t read(Addr address) const;
  void write(Addr address, std::uint8_t byte);
  std::vector<std::uint8_t> bytes(Addr address, std::uint64_t count) const;
  void store(Addr address, const std::vector<std::uint8_t>& data);

 private:
  MemoryView& memory_;
};

// An entry of the event log.
struct ReferenceDsaEvent {
  DsaStatus status = DsaStatus::kNone;
  int member = -1;             // of a batch; -1: the descriptor submitted
  Addr address = 0;            // of a fault, or of the record
  std::uint32_t flags = 0;     // that are wrong
  DsaCompletionRecord record;  // when it is in the entry
};

struct ReferenceDsaOutcome {
  DsaCompletionRecord record;
  bool written = false;                   // the record, to memory
  DsaStatus reported = DsaStatus::kNone;  // to SWERROR or the event log instead
  std::vector<ReferenceDsaEvent> events;  // of its members too, in order of members
};

class ReferenceDsa {
 public:
  ReferenceDsa(const ReferenceDsaConfig& config, ReferenceDsaMemory& memory)
      : config_(config), memory_(memory) {}

  // Data and records are written to memory, those of a batch's members too.
  ReferenceDsaOutcome execute(const DsaDescriptor& descriptor);
  // The status of the checks alone. `wrong` are the flags with which the status is kInvalidFlags.
  DsaStatus check(const DsaDescriptor& descriptor, bool in_batch, std::uint32_t& wrong) const;

 private:
  // A buffer as an operation goes through it. The defaults are a byte per position.
  struct Buffer {
    Addr base = 0;
    std::uint64_t size = 0;
    bool write = false;
    unsigned id = 0;          // operand identifier of the record
    std::uint64_t start = 0;  // position of its first byte
    std::uint64_t part = 1;   // bytes of it ...
    std::uint64_t whole = 1;  // ... in so many positions
    std::uint64_t skip = 0;   // positions of each `whole` before its part
    std::uint64_t stride = 0;
    bool downwards = false;
  };
  struct Fault {
    bool any = false;
    std::uint64_t position = 0;
    unsigned buffer = 0;
    std::uint64_t offset = 0;
    DsaStatus status = DsaStatus::kSuccess;
    Addr address = 0;
    bool write = false;
    unsigned id = 0;
  };

  ReferenceDsaOutcome execute(const DsaDescriptor& d, int member);
  void log(ReferenceDsaOutcome& outcome, const ReferenceDsaEvent& event);
  void run(const DsaDescriptor& d, DsaCompletionRecord& record);
  void run_batch(const DsaDescriptor& d, DsaCompletionRecord& record);
  Fault first_fault(const std::vector<Buffer>& buffers, bool request);
  Fault fault_at(const Buffer& buffer, unsigned number, std::uint64_t offset, bool request);
  static void put_fault(const Fault& fault, DsaCompletionRecord& record, unsigned version);

  void move(const DsaDescriptor& d, DsaCompletionRecord& record);
  void fill(const DsaDescriptor& d, DsaCompletionRecord& record);
  void compare(const DsaDescriptor& d, DsaCompletionRecord& record);
  void create_delta(const DsaDescriptor& d, DsaCompletionRecord& record);
  void apply_delta(const DsaDescriptor& d, DsaCompletionRecord& record);
  void dualcast(const DsaDescriptor& d, DsaCompletionRecord& record);
  void crc(const DsaDescriptor& d, DsaCompletionRecord& record);
  void dif(const DsaDescriptor& d, DsaCompletionRecord& record);
  void touch(const DsaDescriptor& d, DsaCompletionRecord& record);
  void drain(const DsaDescriptor& d, DsaCompletionRecord& record);

  bool requests(const DsaDescriptor& d) const;

  ReferenceDsaConfig config_;
  ReferenceDsaMemory& memory_;
  bool privileged_ = false;  // the descriptor submitted, whatever its members say
  std::vector<ReferenceDsaEvent> events_;
  bool member_record_logged_ = false;
};

// Polynomial division bit by bit; `width` up to 64, the polynomial without its highest term.
std::uint64_t reference_crc(const std::vector<std::uint8_t>& data, std::uint64_t start, unsigned width,
                            std::uint64_t polynomial, bool low_bit_first);
std::uint64_t reference_reversed(std::uint64_t value, unsigned width);

}  // namespace svasim
