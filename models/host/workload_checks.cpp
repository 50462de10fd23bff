// What is wrong with a workload, as far as it can be said before it runs.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/suggest.h"
#include "models/host/host_params.h"
#include "models/host/steps/step_kind.h"
#include "models/host/workload_waits.h"

namespace svasim {

namespace {

class WorkloadChecks {
 public:
  WorkloadChecks(const HostParams& host, const Complain& bad) : host_(host), bad_(bad) {}

  void check() {
    check_guests();
    for (std::size_t i = 0; i < host_.processes.size(); ++i) check_process(i);
    check_memory();
    // A child is judged when its parent's state at the fork is known.
    for (std::size_t i = 0; i < host_.processes.size(); ++i) {
      if (host_.processes[i].parent.empty()) follow(i, begin_state(host_.processes[i]));
    }
    check_waits(host_, bad_);
  }

 private:
  // Where the steps of a thread stand: "processes[1].threads[0].steps".
  struct Place {
    std::size_t process;
    std::string steps;
  };

  std::string at(std::size_t process) const { return fmt::format("processes[{}]", process); }

  void complain(std::size_t process, const std::string& key, const std::string& what) const {
    bad_(at(process) + key, "process " + host_.processes[process].name + ": " + what);
  }
  void complain(const Place& place, const std::vector<StepParams>& steps, std::size_t step,
                const std::string& key, const std::string& what) const {
    bad_(fmt::format("{}[{}].{}", place.steps, step, key),
         fmt::format("process {}: step {} ({}): {}", host_.processes[place.process].name, step + 1,
                     steps[step].action, what));
  }

  const ProcessParams* find_process(const std::string& name) const {
    for (const ProcessParams& process : host_.processes) {
      if (process.name == name) return &process;
    }
    return nullptr;
  }
  // Its own buffers, or those of the process it is forked from.
  const BufferParams* find_buffer(const ProcessParams& process, const std::string& name) const {
    const ProcessParams* owner = &process;
    for (std::size_t i = 0; owner != nullptr && !owner->parent.empty() && i < host_.processes.size(); ++i) {
      owner = find_process(owner->parent);
    }
    if (owner == nullptr) return nullptr;
    for (const BufferParams& buffer : owner->buffers) {
      if (buffer.name == name) return &buffer;
    }
    return nullptr;
  }
  bool is_device(const std::string& name) const {
    return std::find(host_.devices.begin(), host_.devices.end(), name) != host_.devices.end();
  }

  const GuestParams* find_guest(const std::string& name) const {
    for (const GuestParams& guest : host_.guests) {
      if (guest.name == name) return &guest;
    }
    return nullptr;
  }
  std::vector<std::string> guest_names() const {
    std::vector<std::string> names;
    for (const GuestParams& guest : host_.guests) names.push_back(guest.name);
    return names;
  }

  // --- guests ---

  void check_guests() const {
    for (std::size_t i = 0; i < host_.guests.size(); ++i) {
      const GuestParams& guest = host_.guests[i];
      if (find_guest(guest.name) != &guest) {
        bad_(fmt::format("guests[{}].name", i), "there is another guest \"" + guest.name + "\"");
      }
      if (!guest.faults.drop_prg_responses && guest.answer_timeout <= guest.injection_time) {
        bad_(fmt::format("guests[{}].answer_timeout", i), "is over before the guest hears of a fault");
      }
    }
  }

  // --- processes ---

  void check_process(std::size_t index) {
    const ProcessParams& process = host_.processes[index];
    if (!process.device.empty() && !is_device(process.device)) {
      complain(index, ".device", "device \"" + process.device + "\" is not among the host's devices");
    }
    for (const ProcessParams& other : host_.processes) {
      if (&other == &process) break;
      if (other.name == process.name) complain(index, ".name", "there is another process of this name");
    }
    unsigned outstanding = process.outstanding;
    bool too_large = false;
    unsigned wanted = 0;
    for_each_step(process, [&](const StepParams& step) {
      wanted = std::max(wanted, step.outstanding);
      too_large = too_large || (is_operation(step) && host_.dsa.accel_config.empty() &&
                                step.size > host_.dsa.max_transfer);
    });
    for (const ThreadParams& thread : process.threads) outstanding += thread.most_outstanding();
    if (!process.wq.empty() && host_.dsa.accel_config.empty()) {
      complain(index, ".wq", "names a work queue of dsa.accel_config, which is not given");
    }
    // Of a file, its queues decide.
    if (host_.dsa.accel_config.empty() && std::max(outstanding, wanted) > host_.dsa.wq_size) {
      complain(index, ".outstanding", "more operations outstanding than dsa.wq_size");
    }
    if (too_large) complain(index, ".steps", "an operation is larger than dsa.max_transfer");
    if (!process.guest.empty() && find_guest(process.guest) == nullptr) {
      complain(index, ".guest",
               "there is no guest \"" + process.guest + "\"" + suggestion(process.guest, guest_names()));
    }
    check_buffers(index);
    check_addressing(index);
    check_names(index);
    if (!process.parent.empty()) check_child(index);
    check_steps({index, at(index) + ".steps"}, process.steps, nullptr);
    for (std::size_t i = 0; i < process.threads.size(); ++i) {
      check_steps({index, fmt::format("{}.threads[{}].steps", at(index), i)}, process.threads[i].steps,
                  nullptr);
    }
  }

  void check_buffers(std::size_t index) {
    const ProcessParams& process = host_.processes[index];
    std::set<std::string> names;
    for (std::size_t i = 0; i < process.buffers.size(); ++i) {
      const BufferParams& buffer = process.buffers[i];
      const std::string place = fmt::format(".buffers[{}]", i);
      if (!names.insert(buffer.name).second) {
        complain(index, place + ".name", "there are two buffers \"" + buffer.name + "\"");
      }
      if (!process.guest.empty() && (buffer.kind == "device" || buffer.node != 0)) {
        complain(index, place + (buffer.node != 0 ? ".node" : ".kind"),
                 "a guest has one memory node and no device memory");
      }
      if (buffer.node > host_.nodes.size()) {
        complain(index, place + ".node",
                 fmt::format("there is no memory node {}: the host has {} (its nodes: adds more)",
                             buffer.node, host_.nodes.size() + 1));
      }
    }
    if (!process.parent.empty() && !process.buffers.empty()) {
      complain(index, ".buffers", "a child has its parent's buffers and none of its own");
    }
  }

  // What only address spaces that devices share can do, and what only mapped ones need.
  void check_addressing(std::size_t index) {
    const ProcessParams& process = host_.processes[index];
    const bool shares = process.addressing == "sva";
    static const std::set<std::string> shared = {"fork", "bind", "unbind", "mprotect", "mremap", "madvise"};
    for_each_step(process, [&](const StepParams& step) {
      const bool mapping = step.action == "dma_map" || step.action == "dma_unmap";
      if (mapping && !process.maps()) {
        complain(index, ".steps", step.action + " needs addressing default, auxiliary or kernel_domain");
      } else if (!shares && shared.count(step.action) != 0) {
        complain(index, ".steps", step.action + " needs addressing sva");
      } else if (!shares && step.batch > 1) {
        complain(index, ".steps", "batches need addressing sva");
      } else if (!shares && (step.together > 1 || step.records != "resident")) {
        complain(index, ".steps", "together and records need addressing sva");
      } else if (!process.guest.empty() && step.records != "resident") {
        complain(index, ".steps", "records: the host writes no completion records to guests");
      } else if (std::max(step.batch, step.together) > host_.dsa.max_batch) {
        complain(index, ".steps", "a batch of more descriptors than dsa.max_batch");
      } else if (step.action == "memmove" && step.from == step.to && (step.batch > 1 || process.maps())) {
        complain(index, ".steps",
                 step.batch > 1 ? "members of a batch run in any order: they move between two buffers"
                                : "a device with addresses of its own does not see that source and "
                                  "destination overlap: it moves between two buffers");
      }
    });
    if (!shares && process.queue == "shared") complain(index, ".queue", "shared needs addressing sva");
    if (!process.guest.empty() && process.queue == "shared") {
      complain(index, ".queue", "ENQCMD of a guest would need its PASIDs translated, which is not modelled");
    }
    if (shares) return;
    if (!process.guest.empty()) complain(index, ".addressing", "processes of guests need addressing sva");
    if (!process.parent.empty()) complain(index, ".parent", "a forked process needs addressing sva");
    for (std::size_t i = 0; i < process.buffers.size(); ++i) {
      const std::string place = fmt::format(".buffers[{}]", i);
      if (process.buffers[i].kind == "device")
        complain(index, place + ".kind", "device needs addressing sva");
      if (process.in_kernel() && process.buffers[i].resident != 1) {
        complain(index, place + ".resident", "the kernel's memory is all there: 1");
      }
    }
  }

  void check_names(std::size_t index) {
    std::set<std::string> names;
    const auto look = [&](const std::string& place, const std::vector<StepParams>& steps) {
      for (std::size_t i = 0; i < steps.size(); ++i) {
        const std::string& name = steps[i].name;
        if (name.empty()) continue;
        const std::string key = fmt::format("{}[{}].name", place, i);
        if (!names.insert(name).second) {
          complain(index, key, "there is another step \"" + name + "\" of the process");
        }
        if (name.find('.') != std::string::npos) complain(index, key, "a step's name has no dot");
      }
    };
    const ProcessParams& process = host_.processes[index];
    look(".steps", process.steps);
    for (std::size_t i = 0; i < process.threads.size(); ++i) {
      look(fmt::format(".threads[{}].steps", i), process.threads[i].steps);
    }
  }

  void check_child(std::size_t index) {
    const ProcessParams& child = host_.processes[index];
    const ProcessParams* parent = find_process(child.parent);
    if (parent == nullptr) {
      complain(index, ".parent", "there is no process \"" + child.parent + "\"");
      return;
    }
    if (parent->guest != child.guest) {
      complain(index, ".guest", "its parent " + parent->name + " does not run there");
    }
    unsigned forks = 0;
    for_each_step(*parent, [&](const StepParams& step) {
      forks += step.action == "fork" && step.process == child.name ? 1 : 0;
    });
    if (forks != 1) {
      complain(index, ".parent",
               fmt::format("{} steps of {} fork it, there has to be one", forks, parent->name));
    }
  }

  // What is resident at the start, in the host or in a guest.
  double resident(const std::string& guest) const {
    double sum = 0;
    for (const ProcessParams& process : host_.processes) {
      if (process.guest != guest) continue;
      for (const BufferParams& buffer : process.buffers) {
        if (!buffer.mapped || buffer.kind == "device") continue;
        sum += buffer.resident * static_cast<double>(buffer.size);
      }
    }
    return sum;
  }

  void check_memory() const {
    double used = resident("");
    double size = static_cast<double>(host_.memory_size);
    for (const NodeParams& node : host_.nodes) size += static_cast<double>(node.size);
    for (std::size_t i = 0; i < host_.guests.size(); ++i) {
      const GuestParams& guest = host_.guests[i];
      used += static_cast<double>(guest.memory_size);
      if (resident(guest.name) > static_cast<double>(guest.memory_size)) {
        bad_(fmt::format("guests[{}].memory_size", i), "less than what is resident at the start");
      }
    }
    if (used > size) bad_("memory_size", "less than what is resident at the start");
  }

  // --- steps ---

  static KnownState begin_state(const ProcessParams& process) {
    KnownState known;
    for (const BufferParams& buffer : process.buffers) known.mapped[buffer.name] = buffer.mapped;
    if (!process.device.empty()) known.open.insert(process.device);
    return known;
  }

  // What happens in order. With several threads nobody knows the order.
  void follow(std::size_t index, KnownState known) {
    const ProcessParams& process = host_.processes[index];
    if (!process.threads.empty() || depth_ > host_.processes.size()) return;
    ++depth_;
    check_steps({index, at(index) + ".steps"}, process.steps, &known);
    --depth_;
  }

  // Without a state: what can be said of each step alone.
  void check_steps(const Place& place, const std::vector<StepParams>& steps, KnownState* known) {
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const auto bad = [&](const std::string& key, const std::string& what) {
        complain(place, steps, i, key, what);
      };
      if (known == nullptr) {
        check_alone(place, steps, i, bad);
      } else if (!known->exited.empty()) {
        bad("do", "the process has exited in " + known->exited);
        return;
      } else {
        check_in_order(place, steps[i], i, *known, bad);
      }
    }
  }

  using Bad = StepKind::Bad;

  static bool has_buffer(const StepParams& step) {
    return kind_of(step).subject == StepKind::Subject::kBuffer;
  }
  static bool has_device(const StepParams& step) {
    const StepKind& kind = kind_of(step);
    return kind.operation || kind.subject == StepKind::Subject::kDevice;
  }
  static std::string device_of(const ProcessParams& process, const StepParams& step) {
    return step.device.empty() ? process.device : step.device;
  }

  void check_alone(const Place& place, const std::vector<StepParams>& steps, std::size_t index,
                   const Bad& bad) const {
    const StepParams& step = steps[index];
    const ProcessParams& process = host_.processes[place.process];
    if (kind_of(step).in_guest && process.guest.empty()) bad("do", "the process runs in no guest");
    if (step.action == "destroy" && find_guest(step.guest) == nullptr) {
      bad("guest", "there is no guest \"" + step.guest + "\"" + suggestion(step.guest, guest_names()));
    }
    if (has_buffer(step)) check_part(process, step, bad);
    const BufferParams* subject = has_buffer(step) ? find_buffer(process, step.to) : nullptr;
    if (step.action == "evict" && subject != nullptr && subject->content != "zero") {
      bad("to", "who touches an evicted page finds zeros, so \"" + step.to + "\" needs content: zero");
    }
    if (has_device(step)) {
      const std::string device = device_of(process, step);
      if (device.empty()) {
        bad("device", "names no device, and its process has none");
      } else if (!is_device(device)) {
        bad("device", "there is no device \"" + device + "\"" + suggestion(device, host_.devices));
      } else if (is_operation(step)) {
        const std::vector<std::string> opened = devices_opened(process);
        if (std::find(opened.begin(), opened.end(), device) == opened.end()) {
          bad("device", "no step of the process opens " + device);
        }
      }
    }
    if (step.action == "fork") {
      const ProcessParams* child = find_process(step.process);
      if (child == nullptr) {
        bad("process", "there is no process \"" + step.process + "\"");
      } else if (child->parent != process.name) {
        bad("process", "process " + step.process + " does not have " + process.name + " as its parent");
      }
    }
    if (kind_of(step).uses("bar")) check_bar(step, bad);
    if (step.error == "none") check_objects(process, step, bad);
    if (step.action == "wait") {
      if (step.step.empty()) {
        bad("step", "waits for no step");
      } else {
        check_reference(place, steps, index, "step", step.step, bad);
      }
    }
    if (step.action == "expect") check_expect(place, steps, index, bad);
  }

  // That some step of the process makes what this one names.
  void check_objects(const ProcessParams& process, const StepParams& step, const Bad& bad) const {
    const auto need = [&](const char* key, const std::string& name, const std::vector<std::string>& makers) {
      if (!kind_of(step).uses(key) || name.empty()) return;
      if (std::find(makers.begin(), makers.end(), step.action) != makers.end()) return;
      bool made = false;
      for_each_step(process, [&](const StepParams& other) {
        if (std::find(makers.begin(), makers.end(), other.action) == makers.end()) return;
        const std::string& made_here = other.action == "iommufd_open"        ? other.context
                                       : other.action == "fault_queue_alloc" ? other.faults
                                                                             : other.object;
        made = made || made_here == name;
      });
      if (!made) bad(key, "no step of the process makes \"" + name + "\"");
    };
    need("context", step.context, {"iommufd_open"});
    need("parent", step.parent, {"ioas_alloc"});
    need("faults", step.faults, {"fault_queue_alloc"});
    if (step.action == "iommufd_attach") {
      need("object", step.object, {"ioas_alloc", "hwpt_alloc"});
    } else if (step.action == "iommufd_destroy") {
      need("object", step.object, {"ioas_alloc", "hwpt_alloc", "fault_queue_alloc"});
    } else if (step.action != "hwpt_alloc") {
      need("object", step.object, {"ioas_alloc"});
    }
  }

  void check_bar(const StepParams& step, const Bad& bad) const {
    std::vector<std::string> names;
    for (const BarParams& bar : host_.vfio.bars) names.push_back(bar.name);
    if (std::find(names.begin(), names.end(), step.bar) == names.end()) {
      bad("bar", "vfio.bars has no \"" + step.bar + "\"" + suggestion(step.bar, names));
    }
  }

  void check_part(const ProcessParams& process, const StepParams& step, const Bad& bad) const {
    for (const auto& [key, name] : {std::pair{"to", step.to}, std::pair{"from", step.from}}) {
      if (std::string(key) == "from" && step.action != "memmove") continue;
      if (find_buffer(process, name) == nullptr) {
        bad(key, name.empty() ? std::string("names no buffer") : "there is no buffer \"" + name + "\"");
        return;
      }
    }
    const auto rounded = [](std::uint64_t size) { return (size + kPageSize - 1) & ~(kPageSize - 1); };
    const std::uint64_t size = rounded(find_buffer(process, step.to)->size);
    if (step.offset >= size || step.length > size - step.offset) {
      bad("offset", "its part ends behind its buffer");
      return;
    }
    if (is_operation(step)) {
      const std::uint64_t room = step.length != 0 ? step.length : size - step.offset;
      const std::uint64_t bytes = bytes_of_operation(step);
      const std::uint64_t source =
          step.action == "memmove" ? rounded(find_buffer(process, step.from)->size) : ~std::uint64_t{0};
      const std::uint64_t part = step.from_length != 0 ? step.from_length : bytes;
      if (bytes > room || bytes > part || part > source || step.from_offset > source - part) {
        bad("size", "an operation is larger than its buffer");
      }
      if (step.action == "fill" && step.batch > 1 && step.size % 8 != 0) {
        bad("size", "a batch of fills needs a multiple of 8 bytes, the length of the pattern");
      }
      if (step.stride != 0 && step.stride < bytes) bad("stride", "is less than the bytes of an operation");
    } else if (step.offset % kPageSize != 0 || step.length % kPageSize != 0) {
      bad("offset", "offset and length have to be whole pages");
    } else if ((step.action == "mremap" || step.action == "mmap" || step.action == "remap") &&
               (step.offset != 0 || step.length != 0)) {
      bad("offset", "is done to the whole buffer");
    }
  }

  // That a step of this name is there and has ended, or may have, before this one.
  void check_reference(const Place& place, const std::vector<StepParams>& steps, std::size_t index,
                       const std::string& key, const std::string& name, const Bad& bad) const {
    const std::string full = full_step_name(host_.processes[place.process].name, name);
    const std::size_t dot = full.find('.');
    const ProcessParams* process = find_process(full.substr(0, dot));
    if (process == nullptr) {
      bad(key, "there is no process \"" + full.substr(0, dot) + "\"");
      return;
    }
    const std::string own = full.substr(dot + 1);
    std::vector<std::string> names;
    for_each_step(*process, [&](const StepParams& step) {
      if (!step.name.empty()) names.push_back(step.name);
    });
    if (std::find(names.begin(), names.end(), own) == names.end()) {
      bad(key, "process " + process->name + " has no step \"" + own + "\"" + suggestion(own, names));
      return;
    }
    if (process != &host_.processes[place.process]) return;
    for (std::size_t i = index; i < steps.size(); ++i) {
      if (steps[i].name == own) bad(key, "step \"" + own + "\" comes later, so it cannot have ended");
    }
  }

  void check_expect(const Place& place, const std::vector<StepParams>& steps, std::size_t index,
                    const Bad& bad) const {
    const StepParams& step = steps[index];
    if (step.statistic.empty() == step.step.empty()) {
      bad(step.statistic.empty() ? "statistic" : "step", "expects one of a statistic and a step");
      return;
    }
    if (step.equals.empty() && step.at_least.empty() && step.at_most.empty()) {
      bad("equals", "says no number: equals, at_least, at_most");
    }
    const Bounds bounds = bounds_of(step);
    if (bounds.low > bounds.high) {
      bad(step.at_most.empty() ? "at_least" : "at_most", "no number can be all right: " + bounds_text(step));
    }
    if (!step.step.empty()) {
      check_reference(place, steps, index, "step", step.step, bad);
      const std::vector<std::string>& fields = step_fields();
      if (std::find(fields.begin(), fields.end(), step.field) == fields.end()) {
        bad("field", "a step has no " + step.field + suggestion(step.field, fields));
      } else {
        check_figures(step, bad);
      }
      if (!step.since.empty()) bad("since", "goes with a statistic");
    } else if (!step.since.empty()) {
      check_reference(place, steps, index, "since", step.since, bad);
    }
  }

  // A number of a step has a unit or has none, and none is negative.
  static void check_figures(const StepParams& step, const Bad& bad) {
    const std::optional<Quantity> unit = step_field_unit(step.field);
    for (const auto& [key, text] : {std::pair{"equals", step.equals}, std::pair{"at_least", step.at_least},
                                    std::pair{"at_most", step.at_most}}) {
      if (text.empty()) continue;
      const Figure figure = parse_figure(text).value_or(Figure{});
      if (!unit_fits(figure, unit)) {
        bad(key, fmt::format("{} is a {}, '{}' is none", step.field,
                             unit == Quantity::kTime    ? "time, as in \"30 us\""
                             : unit == Quantity::kBytes ? "size, as in \"64 KiB\""
                                                        : "plain number",
                             text));
      } else if (figure.value < 0 && std::string(key) != "at_least") {
        bad(key, fmt::format("{} is never negative", step.field));
      }
    }
  }

  void check_in_order(const Place& place, const StepParams& step, std::size_t index, KnownState& known,
                      const Bad& bad) {
    const StepKind& kind = kind_of(step);
    const std::string device = device_of(host_.processes[place.process], step);
    if (kind.follow != nullptr && (!has_device(step) || is_device(device))) {
      kind.follow(known, step, device, bad);
    }
    if (step.action == "exit") known.exited = fmt::format("step {}", index + 1);
    if (step.action == "fork" && step.error == "none") follow_child(step.process, known);
  }

  void follow_child(const std::string& name, const KnownState& parent) {
    const ProcessParams* child = find_process(name);
    if (child == nullptr) return;
    KnownState known;
    known.mapped = parent.mapped;
    for (auto& [buffer, mapped] : known.mapped) {
      const BufferParams* params = find_buffer(*child, buffer);
      mapped = mapped && params != nullptr && params->inherited;
    }
    if (!child->device.empty()) known.open.insert(child->device);
    follow(static_cast<std::size_t>(child - host_.processes.data()), std::move(known));
  }

  const HostParams& host_;
  const Complain& bad_;
  std::size_t depth_ = 0;
};

}  // namespace

void check_workload(const HostParams& host, const Complain& bad) { WorkloadChecks(host, bad).check(); }

}  // namespace svasim
