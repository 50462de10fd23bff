// Work queues and the choice between them. No SystemC in here.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "models/dsa/dsa_registers_file.h"
#include "models/formats/dsa_descriptor.h"

namespace svasim {

struct DsaSubmission {
  DsaDescriptor descriptor;
  Ps arrived = 0;
  Ps ready = 0;  // an engine can take it from then on
  unsigned queue = 0;
  std::uint64_t number = 0;  // in order of arrival
  // Whose it is: the queue says so when it is dedicated, the descriptor otherwise.
  bool has_pasid = false;
  bool privileged = false;
  Pasid pasid;
  // Of a member of a batch.
  bool in_batch = false;
  std::uint32_t batch = 0;  // task of the batch
  std::uint32_t member = 0;
};

// What a command is about: descriptors of some queues, or of one PASID in them, submitted before it.
struct DsaScope {
  std::uint64_t queues = 0;  // bit N: queue N
  bool of_pasid = false;
  Pasid pasid;
  std::uint64_t before = 0;  // number of the first submission that is not
  bool covers(const DsaSubmission& submission) const {
    return ((queues >> submission.queue) & 1U) != 0 && submission.number < before &&
           (!of_pasid || (submission.has_pasid && submission.pasid == pasid));
  }
};

// The queues of a device, each in one group. Within a group queues take turns weighted by priority:
// a queue may be chosen as often as its priority says before the others have used up theirs.
// SPEC: [DSA 3]
class DsaDispatch {
 public:
  explicit DsaDispatch(unsigned queues, unsigned groups) : queues_(queues), groups_(groups) {}

  void set_group(unsigned group, std::uint64_t queues);
  void configure(unsigned queue, unsigned size, unsigned priority);

  // False when the queue is full.
  bool push(const DsaSubmission& submission);
  // What an engine has room for.
  struct Room {
    bool descriptors = true;
    bool batches = true;
    bool for_one(const DsaSubmission& submission) const {
      return submission.descriptor.opcode() == DsaOpcode::kBatch ? batches : descriptors;
    }
  };
  // The next descriptor for an engine of the group, taken out; false when none is ready. Nothing
  // overtakes a descriptor of its queue for which there is no room.
  bool take(unsigned group, Ps now, Room room, DsaSubmission& submission);
  // When a queue of the group has something ready for it; kNever when none has.
  Ps next_ready(unsigned group, Room room) const;

  unsigned waiting(unsigned queue) const { return static_cast<unsigned>(queues_[queue].entries.size()); }
  bool any_waiting(const DsaScope& scope) const;
  void discard(const DsaScope& scope);
  std::size_t waiting() const;

 private:
  struct Queue {
    std::deque<DsaSubmission> entries;
    unsigned size = 0;
    unsigned priority = 1;
    unsigned turns = 1;  // left before the others' turns are used up
  };
  struct Group {
    std::vector<unsigned> queues;
    std::size_t next = 0;
  };

  bool ready(unsigned queue, Ps now, Room room) const {
    return !queues_[queue].entries.empty() && queues_[queue].entries.front().ready <= now &&
           room.for_one(queues_[queue].entries.front());
  }

  std::vector<Queue> queues_;
  std::vector<Group> groups_;
};

}  // namespace svasim
