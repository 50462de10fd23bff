// Statistics of a DSA device.
#pragma once

#include <array>
#include <string>

#include "base/stats.h"
#include "models/formats/dsa_descriptor.h"
#include "tlm/attribution.h"

namespace svasim {

struct DsaStats {
  Counter submitted;
  Counter dropped;
  Counter deferred;
  Counter completed;
  Counter batch_members;
  std::array<Counter, 64> by_status;
  Counter records;
  Counter interrupts;
  Counter software_errors;
  Counter events;
  Counter events_lost;
  Counter commands;
  Counter bytes;  // as completion records report them
  Counter bytes_read;
  Counter bytes_written;
  Counter reads;
  Counter writes;
  Counter translation_requests;
  Counter posted_errors;
  Counter page_waits;
  Histogram queue_wait;
  Histogram latency;

  // Accesses: data reads and writes and completion records, until their responses.
  Counter accesses;
  Histogram access_latency;
  std::array<Counter, kStages> attribution;

  void record_access(const Attribution& where) {
    accesses.add();
    access_latency.record(where.total());
    for (std::size_t i = 0; i < kStages; ++i) {
      attribution[i].add(where.parts()[i]);
    }
  }

  void describe(StatRegistry& registry, const std::string& prefix) const;
};

}  // namespace svasim
