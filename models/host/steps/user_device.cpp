// Steps of drivers in user space: iommufd, work queues without the kernel, memory of devices.
#include <memory>

#include "models/host/fault_thread.h"
#include "models/host/process.h"
#include "models/host/steps/step_kind.h"
#include "models/host/thread.h"

namespace svasim {

namespace {

// Ends the step with what a call ended with.
UserDriver::Result ends(Thread& thread) {
  return [&thread](const Iommufd::Outcome& outcome) {
    if (!thread.stopped()) thread.end(outcome.error);
  };
}

// The driver part of the process; nullptr, and the step has ended, when its kernel has none.
UserDriver* driver_of(Thread& thread) {
  UserDriver* const driver = thread.process().driver();
  if (driver == nullptr) thread.end(Errno::kNoDevice);
  return driver;
}

// --- contexts and devices ---

void iommufd_open(Thread& thread, const StepParams& step) {
  UserDriver* const driver = driver_of(thread);
  if (driver == nullptr) return;
  const Errno error = driver->open(step.context);
  thread.later(1, [&thread, error] { thread.end(error); });
}

void iommufd_close(Thread& thread, const StepParams& step) {
  if (UserDriver* const driver = driver_of(thread)) driver->close(step.context, ends(thread));
}

void iommufd_bind(Thread& thread, const StepParams& step) {
  UserDriver* const driver = driver_of(thread);
  if (driver == nullptr) return;
  const Opening* const opening = thread.process().find_opening(step.device);
  driver->bind(step.context, thread.device_of(step), opening->device, step.cookie, ends(thread));
}

void iommufd_unbind(Thread& thread, const StepParams& step) {
  if (UserDriver* const driver = driver_of(thread)) driver->unbind(thread.device_of(step), ends(thread));
}

void queue_enable(Thread& thread, const StepParams& step) {
  UserDriver* const driver = driver_of(thread);
  if (driver == nullptr) return;
  thread.result().pasid = step.pasid;
  driver->enable_queue(thread.process().opening(step.device), Pasid(step.pasid), ends(thread));
}

void queue_disable(Thread& thread, const StepParams& step) {
  UserDriver* const driver = driver_of(thread);
  if (driver == nullptr) return;
  driver->disable_queue(thread.process().opening(step.device), ends(thread));
}

// --- objects ---

void ioas_alloc(Thread& thread, const StepParams& step) {
  if (UserDriver* const driver = driver_of(thread)) {
    driver->ioas_alloc(step.context, step.object, ends(thread));
  }
}

void ioas_map(Thread& thread, const StepParams& step) {
  UserDriver* const driver = driver_of(thread);
  if (driver == nullptr) return;
  const AddressSpan part = thread.part_of(step);
  const Buffer& buffer = thread.process().buffer(step.to);
  const std::uint64_t pages = (part.end - part.start) >> kPageShift;
  driver->map(step.object, part, {buffer.start, buffer.start + buffer.size}, step.iova, step.write,
              [&thread, pages](const Iommufd::Outcome& outcome) {
                if (thread.stopped()) return;
                thread.result().pages = outcome.error == Errno::kNone ? pages : 0;
                thread.end(outcome.error);
              });
}

void ioas_unmap(Thread& thread, const StepParams& step) {
  UserDriver* const driver = driver_of(thread);
  if (driver == nullptr) return;
  const auto ended = [&thread](const Iommufd::Outcome& outcome) {
    if (thread.stopped()) return;
    thread.result().pages = outcome.value >> kPageShift;
    thread.end(outcome.error);
  };
  if (step.action == "ioas_clear") return driver->unmap_everything(step.object, ended);
  driver->unmap(step.object, thread.part_of(step), ended);
}

void fault_queue_alloc(Thread& thread, const StepParams& step) {
  if (UserDriver* const driver = driver_of(thread)) {
    driver->fault_queue_alloc(step.context, step.faults, ends(thread));
  }
}

void hwpt_alloc(Thread& thread, const StepParams& step) {
  if (UserDriver* const driver = driver_of(thread)) {
    driver->hwpt_alloc(thread.device_of(step), step.parent, step.faults, step.object, ends(thread));
  }
}

void destroy(Thread& thread, const StepParams& step) {
  if (UserDriver* const driver = driver_of(thread)) driver->destroy(step.object, ends(thread));
}

void attach(Thread& thread, const StepParams& step) {
  if (UserDriver* const driver = driver_of(thread)) {
    driver->attach(thread.device_of(step), Pasid(step.pasid), step.object, ends(thread));
  }
}

void detach(Thread& thread, const StepParams& step) {
  if (UserDriver* const driver = driver_of(thread)) {
    driver->detach(thread.device_of(step), Pasid(step.pasid), ends(thread));
  }
}

// --- faults ---

void fault_serve(Thread& thread, const StepParams& step) {
  if (UserDriver* const driver = driver_of(thread)) {
    std::make_shared<FaultThread>(thread, *driver, step)->run();
  }
}

void fault_read(Thread& thread, const StepParams& step) {
  UserDriver* const driver = driver_of(thread);
  if (driver == nullptr) return;
  FaultQueue* const queue = driver->fault_queue(step.faults);
  if (queue == nullptr) return thread.end(Errno::kNoEntry);
  queue->when_readable([&thread, driver, &step] {
    FaultQueue* const readable = driver->fault_queue(step.faults);
    if (thread.stopped()) return;
    if (readable == nullptr) return thread.end(Errno::kNoEntry);
    std::vector<IommufdFault> records;
    const Errno error = readable->read(step.size, records);
    for (const IommufdFault& record : records) {
      thread.result().completed += (record.flags & IommufdFault::kLastPage) != 0 ? 1 : 0;
      thread.result().pasid = record.pasid;
    }
    thread.result().pages = records.size();
    thread.end(error);
  });
}

void fault_write(Thread& thread, const StepParams& step) {
  UserDriver* const driver = driver_of(thread);
  if (driver == nullptr) return;
  FaultQueue* const queue = driver->fault_queue(step.faults);
  const Errno error = queue == nullptr
                          ? Errno::kNoEntry
                          : queue->write(static_cast<std::uint32_t>(step.cookie), step.response == "success");
  thread.later(1, [&thread, error] { thread.end(error); });
}

// --- memory of devices ---

void bar(Thread& thread, const StepParams& step) {
  UserDevices* const devices = thread.kernel().user_devices();
  if (devices == nullptr) return thread.end(Errno::kNoDevice);
  const auto ended = [&thread](Errno error) {
    if (!thread.stopped()) thread.end(error);
  };
  Vfio& vfio = devices->vfio();
  if (step.action == "bar_enable") return vfio.enable(step.bar, ended);
  if (step.action == "bar_disable") return vfio.disable(step.bar, ended);
  vfio.reset(step.bar, ended);
}

// --- what is known before the run ---

void follow_enable(KnownState& known, const StepParams& step, const std::string& device,
                   const StepKind::Bad& bad) {
  if (step.error != "none") return;
  if (!known.open.insert(device).second) bad("device", device + " is open already");
}

void follow_disable(KnownState& known, const StepParams& step, const std::string& device,
                    const StepKind::Bad& bad) {
  if (step.error != "none") return;
  if (known.open.erase(device) == 0) bad("device", device + " is not open here");
}

void follow_unbind(KnownState& known, const StepParams& step, const std::string& device,
                   const StepKind::Bad&) {
  if (step.error == "none") known.open.erase(device);
}

void follow_map(KnownState& known, const StepParams& step, const std::string&, const StepKind::Bad& bad) {
  if (step.error == "none") need_mapped(known, step.to, true, "to", bad);
}

}  // namespace

std::vector<StepKind> user_device_steps() {
  using S = StepKind::Subject;
  return {
      {"iommufd_open", "Opens a context of iommufd.", {"context", "error"}, S::kNothing, iommufd_open},
      {"iommufd_close",
       "Closes it. What devices use stays until they are unbound.",
       {"context", "error"},
       S::kNothing,
       iommufd_close},
      {"iommufd_bind",
       "Binds a device to a context: all its accesses are blocked until something is attached.",
       {"context", "device", "cookie", "error"},
       S::kDevice,
       iommufd_bind},
      {"iommufd_unbind",
       "Gives it back to the kernel; what is attached is detached, and its work queue disabled.",
       {"device", "error"},
       S::kDevice,
       iommufd_unbind,
       follow_unbind},
      {"ioas_alloc",
       "Makes an I/O address space, with the process's completion records in it.",
       {"context", "object", "error"},
       S::kNothing,
       ioas_alloc},
      {"ioas_map",
       "Maps part of a buffer into it, which pins its pages.",
       {"object", "to", "offset", "length", "iova", "write", "error"},
       S::kBuffer,
       ioas_map,
       follow_map},
      {"ioas_unmap",
       "Unmaps what was mapped of a buffer.",
       {"object", "to", "offset", "length", "error"},
       S::kBuffer,
       ioas_unmap},
      {"ioas_clear", "Unmaps everything.", {"object", "error"}, S::kNothing, ioas_unmap},
      {"fault_queue_alloc",
       "Makes a queue of page faults.",
       {"context", "faults", "error"},
       S::kNothing,
       fault_queue_alloc},
      {"hwpt_alloc",
       "Makes page tables of an I/O address space, whose faults go to a queue if one is named.",
       {"device", "parent", "faults", "object", "error"},
       S::kDevice,
       hwpt_alloc},
      {"iommufd_destroy", "Destroys an object that nobody uses.", {"object", "error"}, S::kNothing, destroy},
      {"iommufd_attach",
       "Attaches an I/O address space or page tables to a PASID of a device, in place of what was there.",
       {"device", "pasid", "object", "error"},
       S::kDevice,
       attach},
      {"iommufd_detach",
       "Blocks the PASID again; faults that wait are answered Invalid Request.",
       {"device", "pasid", "error"},
       S::kDevice,
       detach},
      {"queue_enable",
       "Enables a work queue of a bound device.",
       {"device", "pasid", "error"},
       S::kDevice,
       queue_enable,
       follow_enable},
      {"queue_disable",
       "Disables it when what was submitted has ended.",
       {"device", "error"},
       S::kDevice,
       queue_disable,
       follow_disable},
      {"fault_serve",
       "Serves `count` groups of page faults: maps each page where it was asked for, and answers.",
       {"object", "faults", "count", "time", "error"},
       S::kNothing,
       fault_serve},
      {"fault_read",
       "Waits for page faults and reads as many whole groups as fit in `size`.",
       {"faults", "size", "error"},
       S::kNothing,
       fault_read},
      {"fault_write",
       "Answers the group that was read with this cookie; cookies are the lowest free numbers from 1.",
       {"faults", "cookie", "response", "error"},
       S::kNothing,
       fault_write},
      {"bar_enable", "Switches the memory of a device on.", {"bar", "error"}, S::kNothing, bar},
      {"bar_disable", "Switches it off; who maps it loses it before.", {"bar", "error"}, S::kNothing, bar},
      {"bar_reset", "Resets the device, which switches it off too.", {"bar", "error"}, S::kNothing, bar},
  };
}

}  // namespace svasim
