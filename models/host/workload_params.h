// What processes do: buffers, steps, threads. This is the scenario language: docs/scenarios.md.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/params.h"
#include "base/units.h"
#include "models/host/errno.h"

namespace svasim {

struct BufferParams {
  std::string name;
  std::uint64_t size;
  double resident;
  std::string content;
  bool writable;
  std::string kind;
  std::uint64_t physical;
  bool huge;
  unsigned node;
  bool inherited;
  bool mapped;
};

const ParamTable<BufferParams>& buffer_params();

struct StepParams {
  std::string action;
  std::string name;
  Ps at;
  std::string from;
  std::string to;
  std::string device;
  std::string process;
  std::string guest;
  std::uint64_t offset;
  std::uint64_t length;
  std::uint64_t size;
  std::uint64_t stride;
  std::uint64_t count;
  unsigned batch;
  bool batch_in_place;
  std::uint64_t from_offset;
  std::uint64_t from_length;
  std::string order;
  unsigned outstanding;
  unsigned together;
  std::string list;
  std::string records;
  std::uint64_t pattern;
  std::string place;
  Ps time;
  bool write;
  std::string rights;
  std::string advice;
  std::string feature;
  std::string context;
  std::string object;
  std::string parent;
  std::string faults;
  std::uint64_t cookie;
  std::uint64_t iova;
  unsigned pasid;
  std::string response;
  std::string bar;
  Ps give_up;
  std::string error;
  std::string step;
  std::string statistic;
  std::string field;
  std::string since;
  std::string equals;
  double tolerance;
  std::string at_least;
  std::string at_most;

  // "quickstart.yaml:97": where it was written; empty when it was not. No parameter.
  std::string where;
};

// SPEC: [LINUX idxd default]: the largest batch a work queue takes.
inline constexpr unsigned kLargestBatch = 32;

const ParamTable<StepParams>& step_params();

// A device operation; a step of any other kind is an action of the operating system.
bool is_operation(const StepParams& step);
// How much of a buffer one of its operations takes.
std::uint64_t bytes_of_operation(const StepParams& step);

struct ThreadParams {
  std::string name;
  unsigned outstanding;
  std::vector<StepParams> steps;

  // Operations that may be outstanding at once; 0 when none of its steps is one.
  unsigned most_outstanding() const;
};

const ParamTable<ThreadParams>& thread_params();

struct ProcessParams {
  std::string name;
  std::string device;
  std::string parent;
  std::string guest;
  std::string queue;
  std::string wq;
  unsigned outstanding;
  bool verify_each;
  std::string addressing;
  bool tagged_pointers;
  std::vector<BufferParams> buffers;
  std::vector<StepParams> steps;
  std::vector<ThreadParams> threads;

  // Devices use its memory by mapping, not by sharing the address space.
  bool maps() const { return addressing != "sva" && addressing != "supervisor"; }
  // Its memory is the kernel's.
  bool in_kernel() const { return addressing == "supervisor" || addressing == "kernel_domain"; }
};

const ParamTable<ProcessParams>& process_params();

// All steps: the process's own, then those of its threads.
void for_each_step(const ProcessParams& process, const std::function<void(const StepParams&)>& visit);

// The devices of which it needs a work queue, in the order in which they are named.
std::vector<std::string> devices_opened(const ProcessParams& process);

// The number in an expectation: plain ("12", "0.5"), a time ("30 us", in ps) or a size ("64 KiB", in
// bytes). nullopt if it is none of these.
struct Figure {
  double value = 0;
  std::optional<Quantity> unit;  // nullopt: plain
};
std::optional<Figure> parse_figure(const std::string& text);

// What an expectation allows, both bounds included.
struct Bounds {
  double low;
  double high;
};
Bounds bounds_of(const StepParams& expect);
// The same in words.
std::string bounds_text(const StepParams& expect);

// The full name, "process.step", of a step that a step of `process` refers to.
std::string full_step_name(const std::string& process, const std::string& name);

// Numbers that the end of a named step leaves.
const std::vector<std::string>& step_fields();
// In which unit; nullopt: they are plain.
std::optional<Quantity> step_field_unit(const std::string& field);
// Whether a figure can be compared with a number of this unit. Sizes may be plain, times may not.
bool unit_fits(const Figure& figure, std::optional<Quantity> unit);

}  // namespace svasim
