// Steps of the DMA API: buffers that stay mapped for a device.
#include "models/host/dma_view.h"
#include "models/host/process.h"
#include "models/host/steps/step_kind.h"
#include "models/host/thread.h"

namespace svasim {

namespace {

// nullptr, and the step has ended: the device is not open.
DmaView* view_of(Thread& thread, const StepParams& step) {
  const Opening* opening = thread.process().find_opening(thread.device_of(step));
  if (opening != nullptr && opening->ready && opening->dma != nullptr) return opening->dma;
  thread.end(Errno::kInvalid);
  return nullptr;
}

void map(Thread& thread, const StepParams& step) {
  DmaView* view = view_of(thread, step);
  if (view == nullptr) return;
  const AddressSpan part = thread.part_of(step);
  view->keep({part.start, part.end - part.start, step.rights == "read_write"}, [&thread, part](Errno error) {
    thread.result().pages = error == Errno::kNone ? (part.end - part.start) >> kPageShift : 0;
    if (!thread.stopped()) thread.end(error);
  });
}

void unmap(Thread& thread, const StepParams& step) {
  DmaView* view = view_of(thread, step);
  if (view == nullptr) return;
  view->drop(thread.part_of(step).start, [&thread](Errno error) {
    if (!thread.stopped()) thread.end(error);
  });
}

void follow(KnownState& known, const StepParams& step, const std::string& device, const StepKind::Bad& bad) {
  if (step.error != "none") return;
  if (known.open.count(device) == 0) bad("device", device + " is not open here");
  if (step.rights == "none") bad("rights", "maps for nothing: read or read_write");
  if (step.action == "dma_map") need_mapped(known, step.to, true, "to", bad);
}

}  // namespace

std::vector<StepKind> dma_steps() {
  using S = StepKind::Subject;
  return {
      {"dma_map",
       "Maps a buffer or a part of it for a device, until dma_unmap; operations within it use that mapping.",
       {"to", "offset", "length", "device", "rights", "error"},
       S::kBuffer,
       map,
       follow},
      {"dma_unmap",
       "Unmaps what a dma_map of the same offset mapped. Operations that follow use the address it had.",
       {"to", "offset", "device", "error"},
       S::kBuffer,
       unmap,
       follow},
  };
}

}  // namespace svasim
