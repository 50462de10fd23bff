#include "models/host/vfio.h"

#include <utility>

#include "models/formats/pci_config.h"

namespace svasim {

Vfio::Vfio(Kernel& kernel, Spaces spaces, Contexts contexts)
    : kernel_(kernel), spaces_(std::move(spaces)), contexts_(std::move(contexts)) {
  for (const BarParams& params : kernel.params().vfio.bars) {
    bars_.push_back(std::make_unique<Bar>());
    bars_.back()->params = &params;
  }
}

Vfio::Bar* Vfio::find(const std::string& name) {
  for (const auto& bar : bars_) {
    if (bar->params->name == name) return bar.get();
  }
  return nullptr;
}

const bool* Vfio::there(Addr physical) const {
  for (const auto& bar : bars_) {
    const AddressSpan span = bar->span();
    if (physical >= span.start && physical < span.end) return &bar->there;
  }
  return nullptr;
}

void Vfio::enable(const std::string& name, Result result) {
  Bar* bar = find(name);
  if (bar == nullptr) return result(Errno::kNoEntry);
  configure(*bar, pci_config::kCommand, PciCommand::kMemorySpace, [bar, result](Errno error) {
    bar->there = true;
    result(error);
  });
}

void Vfio::disable(const std::string& name, Result result) {
  Bar* bar = find(name);
  if (bar == nullptr) return result(Errno::kNoEntry);
  take(*bar, [this, bar, result] { configure(*bar, pci_config::kCommand, 0, result); });
}

void Vfio::reset(const std::string& name, Result result) {
  Bar* bar = find(name);
  if (bar == nullptr) return result(Errno::kNoEntry);
  take(*bar, [this, bar, result] {
    configure(*bar, pci_config::kDeviceControl, PciDeviceControl::kReset, result);
  });
}

// From here on no fault brings an entry back.
void Vfio::take(Bar& bar, Task done) {
  bar.there = false;
  zap(bar, [this, &bar, done = std::move(done)] { revoke(bar, done); });
}

void Vfio::zap(const Bar& bar, Task done) {
  const std::vector<SvaSpace*> spaces = spaces_();
  const Task one = after_all(spaces.size() + 1, std::move(done));
  for (SvaSpace* space : spaces) {
    Stale stale;
    for (const AddressSpan& span : space->memory.device_spans(bar.span())) {
      const Stale part = space->memory.discard(span.start, span.end);
      for (const AddressSpan& each : part.spans) stale.spans.push_back(each);
      kernel_.stats().user_devices.zaps.add(part.spans.size());
    }
    kernel_.shoot_down(*space, stale, one);
  }
  one();
}

void Vfio::revoke(const Bar& bar, Task done) {
  const std::string& how = kernel_.params().vfio.revoke;
  const std::vector<Iommufd*> contexts = how == "none" ? std::vector<Iommufd*>() : contexts_();
  if (contexts.empty()) {
    done();
    return;
  }
  const Task one = after_all(contexts.size(), std::move(done));
  for (Iommufd* context : contexts) context->revoke(bar.span(), how == "invalidate", one);
}

void Vfio::configure(const Bar& bar, std::uint32_t offset, std::uint32_t value, const Result& result) {
  const Addr at = bar.params->config + offset;
  kernel_.machine().write_register32(at, value);
  kernel_.machine().read_register(at, 4, [result](std::uint64_t) { result(Errno::kNone); });
}

}  // namespace svasim
