#include "models/host/user_driver.h"

#include <algorithm>
#include <utility>

#include "models/host/process.h"

namespace svasim {

namespace {

void fail(const UserDriver::Result& result, Errno error) { result({error, 0, 0}); }

}  // namespace

UserDriver::Object* UserDriver::find(Names& names, const std::string& name) {
  const auto found = names.find(name);
  return found == names.end() ? nullptr : &found->second;
}

UserDriver::Result UserDriver::naming(Names& names, const std::string& name, Iommufd& context,
                                      Result result) {
  return [&names, name, &context, result = std::move(result)](const Iommufd::Outcome& outcome) {
    if (outcome.error == Errno::kNone) names[name] = {&context, outcome.id, {}};
    result(outcome);
  };
}

// --- contexts and devices ---

Errno UserDriver::open(const std::string& context) {
  if (contexts_.count(context) != 0) return Errno::kExists;
  contexts_[context] = &devices_.open();
  return Errno::kNone;
}

void UserDriver::close(const std::string& name, Result result) {
  const auto found = contexts_.find(name);
  if (found == contexts_.end()) return fail(result, Errno::kBadFile);
  Iommufd* context = found->second;
  contexts_.erase(found);
  for (auto object = objects_.begin(); object != objects_.end();) {
    object = object->second.context == context ? objects_.erase(object) : std::next(object);
  }
  context->close([result] { result({}); });
}

void UserDriver::bind(const std::string& name, const std::string& device, unsigned number,
                      std::uint64_t cookie, Result result) {
  const auto found = contexts_.find(name);
  if (found == contexts_.end()) return fail(result, Errno::kBadFile);
  Iommufd& context = *found->second;
  context.bind(number, cookie, naming(bound_, device, context, std::move(result)));
}

void UserDriver::unbind(const std::string& device, Result result) {
  const Object* bound = find(bound_, device);
  if (bound == nullptr) return fail(result, Errno::kNoEntry);
  const Object object = *bound;
  bound_.erase(device);
  object.context->unbind(object.id, std::move(result));
}

// --- address spaces ---

void UserDriver::ioas_alloc(const std::string& name, const std::string& object, Result result) {
  const auto found = contexts_.find(name);
  if (found == contexts_.end()) return fail(result, Errno::kBadFile);
  Iommufd& context = *found->second;
  context.ioas_alloc(naming(objects_, object, context, [this, object, result](const Iommufd::Outcome& made) {
    if (made.error != Errno::kNone) return result(made);
    map_records(*find(objects_, object), process_.records(), result);
  }));
}

void UserDriver::map_records(const Object& ioas, std::vector<AddressSpan> records, const Result& result) {
  if (records.empty()) return result({});
  Iommufd::Map map;
  map.space = &process_.space();
  map.user = records.back();
  map.iova = records.back().start;
  records.pop_back();
  ioas.context->ioas_map(ioas.id, map, [this, ioas, records, result](const Iommufd::Outcome& mapped) {
    if (mapped.error != Errno::kNone) return result(mapped);
    map_records(ioas, records, result);
  });
}

void UserDriver::map(const std::string& name, AddressSpan user, AddressSpan buffer, Addr iova, bool write,
                     Result result) {
  const Object* ioas = find(objects_, name);
  if (ioas == nullptr) return fail(result, Errno::kNoEntry);
  Iommufd::Map map;
  map.space = &process_.space();
  map.user = user;
  map.write = write;
  if (iova != 0) map.iova = iova;
  ioas->context->ioas_map(ioas->id, map, [=](const Iommufd::Outcome& mapped) {
    Object* const object = find(objects_, name);
    if (mapped.error == Errno::kNone && object != nullptr) {
      std::vector<Window>& windows = object->windows;
      const auto same = [&](const Window& each) { return each.user.start == buffer.start; };
      windows.erase(std::remove_if(windows.begin(), windows.end(), same), windows.end());
      windows.push_back({buffer, mapped.value - (user.start - buffer.start)});
    }
    result(mapped);
  });
}

void UserDriver::unmap(const std::string& name, AddressSpan user, Result result) {
  const Object* ioas = find(objects_, name);
  if (ioas == nullptr) return fail(result, Errno::kNoEntry);
  Addr iova = user.start;
  for (const Window& window : ioas->windows) {
    if (user.start >= window.user.start && user.start < window.user.end) {
      iova = user.start - window.user.start + window.iova;
    }
  }
  ioas->context->ioas_unmap(ioas->id, iova, user.end - user.start, std::move(result));
}

void UserDriver::unmap_everything(const std::string& name, Result result) {
  const Object* ioas = find(objects_, name);
  if (ioas == nullptr) return fail(result, Errno::kNoEntry);
  ioas->context->ioas_unmap(ioas->id, 0, Ioas::kEverything, std::move(result));
}

Addr UserDriver::user_address(const std::string& name, Addr iova) const {
  const auto found = objects_.find(name);
  if (found == objects_.end()) return iova;
  for (const Window& window : found->second.windows) {
    const std::uint64_t size = window.user.end - window.user.start;
    if (iova >= window.iova && iova < window.iova + size) return iova - window.iova + window.user.start;
  }
  return iova;
}

const UserDriver::Object* UserDriver::ioas_of(const Opening& opening) const {
  const auto bound = bound_.find(opening.name);
  if (bound == bound_.end()) return nullptr;
  Iommufd* const context = bound->second.context;
  const std::uint32_t id = context->attached_ioas(bound->second.id, opening.pasid.value_or(kNoPasid));
  for (const auto& [name, object] : objects_) {
    if (object.context == context && object.id == id) return &object;
  }
  return nullptr;
}

// What no map has placed is where the process has it.
Addr UserDriver::View::device_address(Addr user) const {
  const Object* ioas = driver_.ioas_of(opening_);
  if (ioas == nullptr) return user;
  for (const Window& window : ioas->windows) {
    if (user >= window.user.start && user < window.user.end) return user - window.user.start + window.iova;
  }
  return user;
}

// --- tables and faults ---

void UserDriver::fault_queue_alloc(const std::string& name, const std::string& object, Result result) {
  const auto found = contexts_.find(name);
  if (found == contexts_.end()) return fail(result, Errno::kBadFile);
  Iommufd& context = *found->second;
  context.fault_queue_alloc(naming(objects_, object, context, std::move(result)));
}

void UserDriver::hwpt_alloc(const std::string& device, const std::string& ioas, const std::string& faults,
                            const std::string& object, Result result) {
  const Object* const bound = find(bound_, device);
  const Object* const space = find(objects_, ioas);
  const Object* const queue = faults.empty() ? nullptr : find(objects_, faults);
  if (bound == nullptr || space == nullptr || (!faults.empty() && queue == nullptr)) {
    return fail(result, Errno::kNoEntry);
  }
  Iommufd& context = *bound->context;
  context.hwpt_alloc(bound->id, space->id, queue == nullptr ? std::nullopt : std::optional(queue->id),
                     naming(objects_, object, context, std::move(result)));
}

FaultQueue* UserDriver::fault_queue(const std::string& name) {
  const Object* const object = find(objects_, name);
  return object == nullptr ? nullptr : object->context->fault_queue(object->id);
}

void UserDriver::attach(const std::string& device, Pasid pasid, const std::string& name, Result result) {
  const Object* const bound = find(bound_, device);
  const Object* const object = find(objects_, name);
  if (bound == nullptr || object == nullptr) return fail(result, Errno::kNoEntry);
  bound->context->attach(bound->id, pasid, object->id, std::move(result));
}

void UserDriver::detach(const std::string& device, Pasid pasid, Result result) {
  const Object* const bound = find(bound_, device);
  if (bound == nullptr) return fail(result, Errno::kNoEntry);
  bound->context->detach(bound->id, pasid, std::move(result));
}

void UserDriver::destroy(const std::string& name, Result result) {
  const Object* const object = find(objects_, name);
  if (object == nullptr) return fail(result, Errno::kNoEntry);
  object->context->destroy(object->id, [this, name, result](const Iommufd::Outcome& outcome) {
    if (outcome.error == Errno::kNone) objects_.erase(name);
    result(outcome);
  });
}

// --- work queues ---

void UserDriver::enable_queue(Opening& opening, Pasid pasid, Result result) {
  if (find(bound_, opening.name) == nullptr) return fail(result, Errno::kNoDevice);
  const View& view = views_.try_emplace(opening.name, *this, opening).first->second;
  devices_.enable_queue(opening, pasid, view, [result](Errno error) { fail(result, error); });
}

void UserDriver::disable_queue(Opening& opening, Result result) {
  if (!opening.ready || opening.view == nullptr) return fail(result, Errno::kInvalid);
  devices_.disable_queue(opening, [result] { result({}); });
}

void UserDriver::end(Task done) {
  const auto again = [this, done](const Iommufd::Outcome&) { end(done); };
  if (!bound_.empty()) {
    const std::string device = bound_.begin()->first;
    unbind(device, again);
  } else if (!contexts_.empty()) {
    const std::string context = contexts_.begin()->first;
    close(context, again);
  } else {
    done();
  }
}

}  // namespace svasim
