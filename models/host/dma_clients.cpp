#include "models/host/dma_clients.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace svasim {

std::unique_ptr<DmaApi> DmaClients::make_api(const IommuDriver& iommu, bool default_domain) {
  const DmaParams& params = kernel_.params().dma;
  // WHY: a PASID whose requests pass untranslated is of no use beside requests without one.
  const DmaApi::Mode mode = params.mode == "deferred"                         ? DmaApi::Mode::kDeferred
                            : params.mode == "pass_through" && default_domain ? DmaApi::Mode::kPassThrough
                                                                              : DmaApi::Mode::kStrict;
  const DomainId id = mode == DmaApi::Mode::kPassThrough ? IoTranslation::kSharedDomain : ids_.allocate();
  return std::make_unique<DmaApi>(mode, params, id, iommu.second_stage(), iommu.second_stage_bits(),
                                  kernel_.machine(), kernel_.pages(), kernel_.stats());
}

DmaClients::Client& DmaClients::client_of(unsigned device, const IommuDriver& iommu) {
  for (const auto& client : clients_) {
    if (client->device == device && !client->auxiliary) return *client;
  }
  clients_.push_back(std::make_unique<Client>());
  clients_.back()->device = device;
  clients_.back()->api = make_api(iommu, true);
  return *clients_.back();
}

void DmaClients::open(const ProcessParams& process, ProcessMemory& memory,
                      const std::vector<AddressSpan>& records, Opening& opening, Result result) {
  IommuDriver& iommu = *find_(opening.device).iommu;
  Client* client = nullptr;
  if (process.addressing == "default") {
    client = &client_of(opening.device, iommu);
  } else {
    const auto pasid = sva_.alloc_global_pasid(opening.device);
    if (!pasid.has_value()) return result(Errno::kNoSpace);
    clients_.push_back(std::make_unique<Client>());
    client = clients_.back().get();
    client->device = opening.device;
    client->pasid = *pasid;
    client->auxiliary = true;
    client->api = make_api(iommu, false);
  }
  if (const char* what = iommu.lacks(client->api->translation()); what != nullptr) {
    kernel_.log().push_back(
        fmt::format("{}: {} needs {}, which the IOMMU does not offer", iommu.name(), process.name, what));
    if (client->auxiliary) sva_.free_global_pasid(client->device, client->pasid);
    return result(Errno::kNotSupported);
  }
  views_.push_back(std::make_unique<View>());
  View& view = *views_.back();
  view.opening = &opening;
  view.client = client;
  view.view = std::make_unique<DmaView>(*client->api, memory, kernel_.pages(), kernel_.machine(),
                                        kernel_.params().page_fault_time);
  opening.dma = view.view.get();
  if (client->auxiliary) opening.pasid = client->pasid;
  attach(*client, [this, &view, records, &opening, result = std::move(result)] {
    keep_records(view, records, [this, &opening, result](Errno error) {
      if (error == Errno::kNone) return result(error);
      close(opening, [result, error] { result(error); });
    });
  });
}

void DmaClients::keep_records(View& view, std::vector<AddressSpan> records, Result result) {
  if (records.empty()) return result(Errno::kNone);
  const AddressSpan span = records.back();
  records.pop_back();
  view.view->keep({span.start, span.end - span.start, true},
                  [this, &view, records = std::move(records), result = std::move(result)](Errno error) {
                    error == Errno::kNone ? keep_records(view, records, result) : result(error);
                  });
}

void DmaClients::close(Opening& opening, Task done) {
  const auto found = std::find_if(views_.begin(), views_.end(), [&](const auto& each) {
    return each->opening == &opening && each->view.get() == opening.dma;
  });
  SVASIM_CHECK(found != views_.end(), "a device is closed that was not opened");
  View& view = **found;
  view.view->close([this, &view, &opening, done = std::move(done)] {
    Client& client = *view.client;
    opening.dma = nullptr;
    opening.pasid.reset();
    detach(client, [this, &client, done] {
      if (client.auxiliary) {
        client.api->release();
        sva_.free_global_pasid(client.device, client.pasid);
      }
      done();
    });
  });
}

// --- attaching, one thing at a time ---

void DmaClients::attach(Client& client, Task done) {
  ++client.users;
  if (client.state == State::kAttached) return done();
  client.waiting.push_back(std::move(done));
  if (client.state == State::kDetached) attach_now(client);
}

void DmaClients::attach_now(Client& client) {
  client.state = State::kAttaching;
  const Device device = find_(client.device);
  client.api->attach(*device.iommu, {device.requester, client.pasid}, [&client] {
    client.state = State::kAttached;
    const std::vector<Task> waiting = std::exchange(client.waiting, {});
    for (const Task& task : waiting) task();
  });
}

void DmaClients::detach(Client& client, Task done) {
  if (--client.users != 0) return done();
  client.state = State::kDetaching;
  client.api->detach([this, &client, done = std::move(done)] {
    client.state = State::kDetached;
    if (client.users != 0) attach_now(client);
    done();
  });
}

bool DmaClients::uses(unsigned device) const {
  return std::any_of(clients_.begin(), clients_.end(), [device](const auto& client) {
    return client->device == device && client->state != State::kDetached;
  });
}

void DmaClients::release() {
  for (const auto& client : clients_) {
    if (client->state == State::kDetached && !client->auxiliary) client->api->release();
  }
}

}  // namespace svasim
