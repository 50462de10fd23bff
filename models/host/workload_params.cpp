#include "models/host/workload_params.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "base/units.h"
#include "models/host/steps/step_kind.h"

namespace svasim {

const ParamTable<BufferParams>& buffer_params() {
  using P = BufferParams;
  static const ParamTable<P> table =
      ParamTable<P>("A buffer: an area of a process's address space")
          .text("name", &P::name, "", "Steps name it by this.", "")
          .bytes("size", &P::size, "1 MiB", "4 KiB", "1 TiB", "Size, rounded up to pages.", "MODEL")
          .number("resident", &P::resident, "1", 0, 1, "Share of its pages that are in memory at the start.",
                  "MODEL")
          .choice("content", &P::content, "zero", {"zero", "random"},
                  "What pages hold before anybody writes to them: zeros, or bytes as read back from swap.",
                  "MODEL")
          .flag("writable", &P::writable, "true", "Whether the process and its devices may write.", "MODEL")
          .choice("kind", &P::kind, "anonymous", {"anonymous", "file", "device"},
                  "anonymous memory; file: a private mapping, whose pages come from storage when first "
                  "touched (a major fault); device: the physical addresses from `physical`, never allocated "
                  "and never freed.",
                  "LINUX mm/memory.c")
          .address("physical", &P::physical, "0", "kind device: first physical address, a multiple of 4 KiB.",
                   "MODEL")
          .flag("huge", &P::huge, "false",
                "Faults bring in whole aligned 2 MiB where the area has room and memory is free; otherwise "
                "4 KiB.",
                "LINUX mm/huge_memory.c")
          .count("node", &P::node, "0", 0, 63, "NUMA node its pages come from while that has any.", "MODEL")
          .flag("inherited", &P::inherited, "true",
                "Whether fork gives it to the child; false is VM_DONTCOPY.", "LINUX mm/mmap.c")
          .flag("mapped", &P::mapped, "true",
                "Whether it is mapped when the process begins; otherwise a step maps it.", "MODEL")
          .check([](const P& p, const Complain& bad) {
            if (p.name.empty()) bad("name", "a buffer needs a name");
            if (p.physical % kPageSize != 0) bad("physical", "is not a multiple of 4 KiB");
            if (p.kind != "device" && p.physical != 0) bad("physical", "only kind device has it");
            if (p.kind == "device" && p.physical == 0) bad("physical", "kind device needs it");
            if (p.kind == "device" && p.huge) bad("huge", "kind device has no huge pages");
            if (p.kind == "device" && p.content != "zero") bad("content", "kind device has its own");
          });
  return table;
}

namespace {

// A value that a step does not use is a misunderstanding; a default is none, so that resolved
// configurations can be run again.
void check_keys(const StepParams& step, const Complain& bad) {
  static const nlohmann::json defaults = step_params().to_json(step_params().defaults());
  static const std::set<std::string> common = {"do", "name", "at"};
  const StepKind& kind = kind_of(step);
  const nlohmann::json given = step_params().to_json(step);
  for (const auto& [key, value] : given.items()) {
    if (value != defaults.at(key) && common.count(key) == 0 && !kind.uses(key)) {
      bad(key, fmt::format("{} does not use it; it uses {}", step.action,
                           kind.keys.empty() ? "none" : fmt::format("{}", fmt::join(kind.keys, ", "))));
    }
  }
}

}  // namespace

const ParamTable<StepParams>& step_params() {
  using P = StepParams;
  static const ParamTable<P> table =
      ParamTable<P>("A step of a process")
          .choice("do", &P::action, "memmove", step_names(),
                  "What it does; `svasim list steps` tells what each kind is for and which of the parameters "
                  "below it uses. A step begins when the one before has ended.",
                  "MODEL")
          .text("name", &P::name, "", "Others refer to the step by it: `name`, or `process.name`.", "")
          .time("at", &P::at, "0 ps", "0 ps", "1000 s",
                "It begins no earlier than this long after the workload began.", "MODEL")
          .text("from", &P::from, "", "Source buffer of a memmove.", "MODEL")
          .text("to", &P::to, "", "Destination buffer; the buffer of other steps that have one.", "MODEL")
          .text("device", &P::device, "",
                "Device of operations and of open, close, bind, unbind, enable, disable; empty: the "
                "process's.",
                "MODEL")
          .text("process", &P::process, "", "fork: the process, with this one as parent, that begins.",
                "MODEL")
          .text("guest", &P::guest, "", "destroy: the virtual machine.", "MODEL")
          .bytes("offset", &P::offset, "0 B", "0 B", "1 TiB",
                 "Where in the destination buffer the step's part begins; whole pages except for operations.",
                 "MODEL")
          .bytes("length", &P::length, "0 B", "0 B", "1 TiB",
                 "Length of that part; 0: to the end of the buffer.", "MODEL")
          .bytes("size", &P::size, "4 KiB", "1 B", "2 GiB",
                 "Bytes of one operation; fault_read: of the read.", "MODEL")
          .count("count", &P::count, "1", 1, std::uint64_t{1} << 40U, "How many operations.", "MODEL")
          .count(
              "batch", &P::batch, "1", 1, 32768,
              "Descriptors of an operation, each of `size` bytes and one behind the other; more than one are "
              "submitted as a batch.",
              "DSA 3.8")
          .flag("batch_in_place", &P::batch_in_place, "false",
                "All descriptors of a batch do the same, instead of one the part behind the other's.",
                "MODEL")
          .bytes(
              "stride", &P::stride, "0 B", "0 B", "1 TiB",
              "From the beginning of one operation's place in a buffer to the next one's; 0: no room between "
              "them.",
              "MODEL")
          .bytes("from_offset", &P::from_offset, "0 B", "0 B", "1 TiB",
                 "Where in the source buffer the part of the operations begins.", "MODEL")
          .bytes("from_length", &P::from_length, "0 B", "0 B", "1 TiB",
                 "Length of that part; 0: to the end of the buffer.", "MODEL")
          .choice("order", &P::order, "sequential", {"sequential", "random"},
                  "Where in the buffers operations go: one behind the other, or anywhere at multiples of 64 "
                  "bytes.",
                  "MODEL")
          .count("outstanding", &P::outstanding, "0", 0, 65535,
                 "Operations submitted and not completed; 0: as the process says.", "MODEL")
          .count("together", &P::together, "1", 1, kLargestBatch,
                 "Operations submitted together, as a batch of which each has a record of its own; fewer "
                 "where the rest depends on them. Devices "
                 "without ATS get them one by one.",
                 "DSA 3.8")
          .choice("list", &P::list, "resident", {"resident", "paged_out", "unmapped"},
                  "The second half of a batch's descriptor list when the batch is submitted: in memory, "
                  "written out, or without area.",
                  "DSA 3.13.2")
          .choice(
              "records", &P::records, "resident", {"resident", "dropped", "unmapped"},
              "Where operations have their completion records: in memory; each in a page of its own that is "
              "dropped before it is submitted; or in one that is besides unmapped `time` later. The latter "
              "two "
              "need a device that asks for pages or has an event log; otherwise operations end with "
              "dsa.record_timeout.",
              "DSA 3.13.2")
          .address("pattern", &P::pattern, "0x5AA5C33C0FF09669", "Eight bytes a fill repeats.", "MODEL")
          .choice("place", &P::place, "same", {"same", "new"},
                  "Where mmap and remap put the buffer: at its old address, or at one never used.", "MODEL")
          .time("time", &P::time, "1 us", "1 ps", "1000 s",
                "How long sleep sleeps; fault_serve: for each page, besides the call that maps it; records: "
                "unmapped: when the page goes.",
                "MODEL")
          .flag("write", &P::write, "true", "touch: stores rather than loads; ioas_map: devices may write.",
                "MODEL")
          .choice("rights", &P::rights, "read_write", {"none", "read", "read_write"},
                  "mprotect: what is allowed from now on; dma_map: what the device may do.",
                  "LINUX mm/mprotect.c")
          .choice(
              "advice", &P::advice, "dontneed", {"dontneed", "pageout"},
              "madvise: dontneed drops pages and what they hold; pageout reclaims them, their bytes go to "
              "swap.",
              "LINUX mm/madvise.c")
          .choice("feature", &P::feature, "sva", {"sva", "iopf"}, "enable, disable: which.",
                  "LINUX drivers/iommu/iommu.c")
          .text("context", &P::context, "iommufd", "Of which context of iommufd.", "MODEL")
          .text("object", &P::object, "ioas", "Name of an object of iommufd: the one that is made, or used.",
                "MODEL")
          .text("parent", &P::parent, "ioas", "hwpt_alloc: the I/O address space it is made of.",
                "LINUX IOMMU_HWPT_ALLOC")
          .text("faults", &P::faults, "", "Name of a fault queue.", "LINUX IOMMU_FAULT_QUEUE_ALLOC")
          .count("cookie", &P::cookie, "0", 0, ~std::uint64_t{0},
                 "iommufd_bind: what user space calls the device; fault_write: which group.", "MODEL")
          .address("iova", &P::iova, "0", "ioas_map: I/O virtual address of the part; 0: the kernel chooses.",
                   "LINUX IOMMU_IOAS_MAP_FIXED_IOVA")
          .count("pasid", &P::pasid, "0", 0, kMaxPasid, "PASID of the device; 0: requests without one.",
                 "LINUX include/linux/iommu.h IOMMU_NO_PASID")
          .choice("response", &P::response, "success", {"success", "invalid"}, "fault_write: the answer.",
                  "LINUX include/uapi/linux/iommufd.h")
          .text("bar", &P::bar, "", "Which memory of a device: a name in `vfio.bars`.", "MODEL")
          .time("give_up", &P::give_up, "0 ps", "0 ps", "1000 s",
                "Operations: one without completion record after this time has failed; 0: wait for ever.",
                "MODEL")
          .choice(
              "error", &P::error, "none", errno_choices(),
              "What the step has to end with; anything else fails a check of the run. any: whatever it is.",
              "MODEL")
          .text("step", &P::step, "", "wait: until this step has ended; expect: a number of this step.",
                "MODEL")
          .text("statistic", &P::statistic, "", "expect: path of a statistic.", "MODEL")
          .text("field", &P::field, "value",
                "expect: which of the statistic's numbers, as in `checks`; of a step: latency, completed, "
                "failed, bytes, pages, pasid, users or error.",
                "MODEL")
          .text("since", &P::since, "", "expect: the statistic's increase since this step began.", "MODEL")
          .text("equals", &P::equals, "", "expect: the number, a time or a size, within `tolerance`.",
                "MODEL")
          .number("tolerance", &P::tolerance, "0", 0, 1, "expect: share of `equals` it may be off.", "MODEL")
          .text("at_least", &P::at_least, "", "expect: smallest number, time or size that is all right.",
                "MODEL")
          .text("at_most", &P::at_most, "", "expect: largest number, time or size that is all right.",
                "MODEL")
          .check([](const P& p, const Complain& bad) {
            check_keys(p, bad);
            for (const auto& [key, text] : {std::pair{"equals", p.equals}, std::pair{"at_least", p.at_least},
                                            std::pair{"at_most", p.at_most}}) {
              if (!text.empty() && !parse_figure(text).has_value()) {
                bad(key, "'" + text + "' is no number, time or size");
              }
            }
          });
  return table;
}

const ParamTable<ThreadParams>& thread_params() {
  using P = ThreadParams;
  static const ParamTable<P> table =
      ParamTable<P>("A further thread of a process: its steps run beside the process's own")
          .text("name", &P::name, "", "For messages.", "")
          .count("outstanding", &P::outstanding, "1", 1, 65535, "Operations submitted and not completed.",
                 "MODEL")
          .groups("steps", &P::steps, step_params(), "What it does, one after the other.")
          .check([](const P& p, const Complain& bad) {
            if (p.name.empty()) bad("name", "a thread needs a name");
          });
  return table;
}

const ParamTable<ProcessParams>& process_params() {
  using P = ProcessParams;
  static const ParamTable<P> table =
      ParamTable<P>("A process that uses devices, or a driver of the kernel that does")
          .text("name", &P::name, "", "For messages and statistics.", "")
          .text("device", &P::device, "",
                "The device it opens before its first step and closes at its end, and that steps mean when "
                "they name none; empty: its steps open devices.",
                "")
          .text("parent", &P::parent, "",
                "The process whose fork step begins this one. It inherits the parent's buffers, not its "
                "bonds.",
                "LINUX kernel/fork.c")
          .text("guest", &P::guest, "", "The virtual machine it runs in; empty: it is a process of the host.",
                "MODEL")
          .choice(
              "queue", &P::queue, "own", {"own", "dedicated", "shared"},
              "The work queue it opens on a device. own: a dedicated one nobody else opens; dedicated: the "
              "device's one dedicated queue of all processes that say so, for one opener at a time; shared: "
              "the device's shared one, to which it submits with ENQCMD.",
              "LINUX drivers/dma/idxd/cdev.c")
          .text(
              "wq", &P::wq, "",
              "The work queue of dsa.accel_config it opens: its name there, its number or wq0.1; empty: the "
              "first of the kind that queue says, one after the other with own.",
              "LINUX drivers/dma/idxd/cdev.c")
          .count("outstanding", &P::outstanding, "16", 1, 65535, "Operations submitted and not completed.",
                 "MODEL")
          .choice("addressing", &P::addressing, "sva",
                  {"sva", "default", "auxiliary", "supervisor", "kernel_domain"},
                  "Addresses its devices use. sva: its own, with the PASID of its address space. default: "
                  "those the DMA API gives to its buffers, without PASID. auxiliary: the same with a PASID "
                  "and a domain of its own. supervisor: those of the kernel, whose memory its buffers are "
                  "then, with the kernel's PASID and privilege. kernel_domain: the kernel's memory, mapped "
                  "as with auxiliary.",
                  "LINUX drivers/iommu/iommu.c, SVM_FLAG_SUPERVISOR_MODE")
          .flag("verify_each", &P::verify_each, "true",
                "Compare the destination of each operation when it has completed; otherwise only in verify "
                "steps and "
                "at the end.",
                "MODEL")
          .flag("tagged_pointers", &P::tagged_pointers, "false",
                "It uses the upper bits of addresses for itself (LAM), which devices do not understand.",
                "LINUX arch_pgtable_dma_compat")
          .groups("buffers", &P::buffers, buffer_params(), "Its buffers.")
          .groups("steps", &P::steps, step_params(), "What it does, one after the other.")
          .groups("threads", &P::threads, thread_params(), "What it does beside that.")
          .check([](const P& p, const Complain& bad) {
            if (p.name.empty()) bad("name", "a process needs a name");
          });
  return table;
}

bool is_operation(const StepParams& step) { return kind_of(step).operation; }

std::uint64_t bytes_of_operation(const StepParams& step) {
  return step.batch_in_place ? step.size : step.size * step.batch;
}

unsigned ThreadParams::most_outstanding() const {
  unsigned most = 0;
  for (const StepParams& step : steps) {
    if (is_operation(step)) most = std::max(most, step.outstanding != 0 ? step.outstanding : outstanding);
  }
  return most;
}

void for_each_step(const ProcessParams& process, const std::function<void(const StepParams&)>& visit) {
  for (const StepParams& step : process.steps) visit(step);
  for (const ThreadParams& thread : process.threads) {
    for (const StepParams& step : thread.steps) visit(step);
  }
}

std::vector<std::string> devices_opened(const ProcessParams& process) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  add(process.device);
  for_each_step(process, [&](const StepParams& step) {
    if (step.action == "open" || step.action == "iommufd_bind" || step.action == "queue_enable") {
      add(step.device);
    }
  });
  return names;
}

std::optional<Figure> parse_figure(const std::string& text) {
  double value = 0;
  const char* end = text.data() + text.size();
  if (const auto result = std::from_chars(text.data(), end, value);
      result.ec == std::errc() && result.ptr == end && std::isfinite(value)) {
    return Figure{value, std::nullopt};
  }
  for (const Quantity kind : {Quantity::kTime, Quantity::kBytes}) {
    try {
      return Figure{static_cast<double>(parse_quantity(kind, text)), kind};
    } catch (const std::invalid_argument&) {
      // The next kind may know its unit.
    }
  }
  return std::nullopt;
}

namespace {

double value_of(const std::string& text) { return parse_figure(text).value_or(Figure{}).value; }

}  // namespace

Bounds bounds_of(const StepParams& expect) {
  Bounds bounds{-1e300, 1e300};
  if (!expect.equals.empty()) {
    const double value = value_of(expect.equals);
    const double margin = std::abs(value) * expect.tolerance;
    bounds = {value - margin, value + margin};
  }
  if (!expect.at_least.empty()) bounds.low = std::max(bounds.low, value_of(expect.at_least));
  if (!expect.at_most.empty()) bounds.high = std::min(bounds.high, value_of(expect.at_most));
  return bounds;
}

std::string bounds_text(const StepParams& expect) {
  std::string text;
  const auto part = [&text](const std::string& words) { text += (text.empty() ? "" : ", ") + words; };
  if (!expect.equals.empty()) {
    part(expect.tolerance == 0 ? expect.equals
                               : fmt::format("{} +- {} %", expect.equals, expect.tolerance * 100));
  }
  if (!expect.at_least.empty()) part("at least " + expect.at_least);
  if (!expect.at_most.empty()) part("at most " + expect.at_most);
  return text;
}

std::string full_step_name(const std::string& process, const std::string& name) {
  return name.find('.') == std::string::npos ? process + "." + name : name;
}

const std::vector<std::string>& step_fields() {
  static const std::vector<std::string> fields = {"latency", "completed", "failed", "bytes",
                                                  "pages",   "pasid",     "users",  "error"};
  return fields;
}

std::optional<Quantity> step_field_unit(const std::string& field) {
  if (field == "latency") return Quantity::kTime;
  if (field == "bytes") return Quantity::kBytes;
  return std::nullopt;
}

bool unit_fits(const Figure& figure, std::optional<Quantity> unit) {
  return figure.unit == unit || (unit == Quantity::kBytes && !figure.unit.has_value());
}

}  // namespace svasim
