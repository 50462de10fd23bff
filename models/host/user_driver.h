// A driver in user space: the contexts, objects and devices of one process, and where its memory is for them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "models/host/address_view.h"
#include "models/host/user_devices.h"

namespace svasim {

class Process;

// It names things; the kernel numbers them.
class UserDriver {
 public:
  using Task = Machine::Task;
  using Result = std::function<void(const Iommufd::Outcome&)>;

  UserDriver(UserDevices& devices, Process& process) : devices_(devices), process_(process) {}

  // kExists: a context or object has the name. kNoEntry: none has.
  Errno open(const std::string& context);
  void close(const std::string& context, Result result);
  void bind(const std::string& context, const std::string& device, unsigned number, std::uint64_t cookie,
            Result result);
  void unbind(const std::string& device, Result result);
  // With the process's completion records in it, at their own addresses, as drivers do first of all.
  void ioas_alloc(const std::string& context, const std::string& object, Result result);
  // iova 0: the kernel chooses. From here on operations find the whole buffer, whose part this is, at the
  // addresses next to it.
  void map(const std::string& ioas, AddressSpan user, AddressSpan buffer, Addr iova, bool write,
           Result result);
  void unmap(const std::string& ioas, AddressSpan user, Result result);
  void unmap_everything(const std::string& ioas, Result result);
  void fault_queue_alloc(const std::string& context, const std::string& object, Result result);
  void hwpt_alloc(const std::string& device, const std::string& ioas, const std::string& faults,
                  const std::string& object, Result result);
  void attach(const std::string& device, Pasid pasid, const std::string& object, Result result);
  void detach(const std::string& device, Pasid pasid, Result result);
  void destroy(const std::string& object, Result result);
  void enable_queue(Opening& opening, Pasid pasid, Result result);
  void disable_queue(Opening& opening, Result result);

  // nullptr: there is none of this name.
  FaultQueue* fault_queue(const std::string& object);
  // What the process has at an I/O virtual address, and the opposite.
  Addr user_address(const std::string& ioas, Addr iova) const;

  // The process has ended: devices are unbound, contexts closed.
  void end(Task done);
  bool ended() const { return bound_.empty() && contexts_.empty(); }

 private:
  struct Window {
    AddressSpan user;
    Addr iova = 0;
  };
  struct Object {
    Iommufd* context = nullptr;
    std::uint32_t id = 0;
    std::vector<Window> windows;  // of an ioas
  };
  class View : public AddressView {
   public:
    View(const UserDriver& driver, const Opening& opening) : driver_(driver), opening_(opening) {}
    Addr device_address(Addr user) const override;

   private:
    const UserDriver& driver_;
    const Opening& opening_;
  };

  using Names = std::map<std::string, Object>;
  static Object* find(Names& names, const std::string& name);
  // Gives the name to what a call makes.
  static Result naming(Names& names, const std::string& name, Iommufd& context, Result result);
  // Maps the rest of the completion records.
  void map_records(const Object& ioas, std::vector<AddressSpan> records, const Result& result);
  const Object* ioas_of(const Opening& opening) const;

  UserDevices& devices_;
  Process& process_;
  std::map<std::string, Iommufd*> contexts_;
  Names objects_;
  Names bound_;                        // by device
  std::map<std::string, View> views_;  // by device
};

}  // namespace svasim
