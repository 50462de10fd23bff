// A context of iommufd: devices bound to it, I/O address spaces, hardware page tables, fault queues.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "models/host/errno.h"
#include "models/host/fault_queue.h"
#include "models/host/io_domain.h"
#include "models/host/ioas.h"
#include "models/host/machine.h"
#include "models/host/serial_work.h"
#include "models/host/sva_space.h"
#include "models/host/user_pages.h"

namespace svasim {

// What the rest of the kernel does for iommufd. Devices are numbers.
class IommufdHardware {
 public:
  using Task = Machine::Task;
  virtual ~IommufdHardware() = default;
  // Gives the device to this owner; kBusy when somebody else uses it. From here on its requests are
  // translated by what is attached only, and by nothing while nothing is.
  virtual Errno claim(unsigned device, std::uint64_t owner) = 0;
  // Stops what user space still runs on the device, then takes it back.
  virtual void give_back(unsigned device, Task done) = 0;
  virtual bool has_second_stage(unsigned device) const = 0;
  virtual bool has_page_requests(unsigned device) const = 0;
  virtual std::uint32_t highest_pasid(unsigned device) const = 0;
  virtual void attach(unsigned device, Pasid pasid, IoDomain& domain, Task done) = 0;
  virtual void replace(unsigned device, Pasid pasid, IoDomain& from, IoDomain& to, Task done) = 0;
  // Afterwards no translation and no page request of it is left anywhere but in handlers.
  virtual void detach(unsigned device, Pasid pasid, IoDomain& domain, Task done) = 0;
  // Who gets the page requests; nullptr: nobody, they are refused.
  virtual void set_fault_handler(unsigned device, Pasid pasid, IopfQueue::Handler handler) = 0;
  virtual void respond(const IopfGroupRef& group, PageResponseCode code) = 0;
};

// Objects are named by numbers from 1 on, of one space for all kinds. Calls take their time, one after the
// other; each ends by calling its result. SPEC: [LINUX drivers/iommu/iommufd, include/uapi/linux/iommufd.h]
class Iommufd {
 public:
  using Task = Machine::Task;
  struct Ground {
    Machine& machine;
    PageAllocator& pages;
    DomainIds& ids;
    PageTableFormat format;  // of second stages
    unsigned iova_bits;      // they translate
    UserPages& user_pages;
    IommufdHardware& hardware;
    IommufdStats& stats;
    Ps call_time;
  };
  struct Outcome {
    Errno error = Errno::kNone;
    std::uint32_t id = 0;     // of a new object
    std::uint64_t value = 0;  // ioas_map: the I/O virtual address; ioas_unmap: bytes
  };
  using Result = std::function<void(const Outcome&)>;
  struct Map {
    SvaSpace* space = nullptr;
    AddressSpan user;
    bool write = true;
    std::optional<Addr> iova;  // IOMMU_IOAS_MAP_FIXED_IOVA
  };

  // owner: tells contexts apart.
  Iommufd(const Ground& ground, std::uint64_t owner) : ground_(ground), owner_(owner) {}

  // kBusy: the device is used by somebody else, bound already, or the cookie is another device's.
  void bind(unsigned device, std::uint64_t cookie, Result result);
  // Detaches what is attached. Possible after close() too: user space has a file of its own of the device.
  void unbind(std::uint32_t dev_id, Result result);

  void ioas_alloc(Result result);
  void ioas_map(std::uint32_t ioas, const Map& map, Result result);
  void ioas_unmap(std::uint32_t ioas, Addr iova, std::uint64_t size, Result result);
  void fault_queue_alloc(Result result);
  void hwpt_alloc(std::uint32_t dev_id, std::uint32_t ioas, std::optional<std::uint32_t> faults,
                  Result result);
  // Attaches a hwpt, or an ioas by way of a hwpt of its own, in place of what was attached there.
  void attach(std::uint32_t dev_id, Pasid pasid, std::uint32_t table, Result result);
  void detach(std::uint32_t dev_id, Pasid pasid, Result result);
  // kBusy when something uses the object.
  void destroy(std::uint32_t id, Result result);

  // The file is closed. Objects live until the last device is unbound. SPEC: [LINUX iommufd_ctx_from_fd]
  void close(Task done);
  bool gone() const { return gone_; }

  // Areas of a BAR that goes are taken away from devices.
  void revoke(AddressSpan physical, bool invalidate, Task done);

  // nullptr: no such object.
  const Ioas* ioas(std::uint32_t id) const;
  FaultQueue* fault_queue(std::uint32_t id);
  // What is attached there; 0: nothing.
  std::uint32_t attached_ioas(std::uint32_t dev_id, Pasid pasid) const;
  std::vector<std::uint32_t> bound() const;

  std::uint64_t pending_faults() const;
  std::size_t objects() const;

 private:
  struct Hwpt {
    std::uint32_t id = 0;
    std::uint32_t ioas = 0;
    std::uint32_t faults = 0;  // 0: none
    bool automatic = false;    // goes with its last user
    unsigned users = 0;
    std::unique_ptr<IoDomain> domain;
  };
  struct Bound {
    unsigned device = 0;
    std::uint64_t cookie = 0;
    std::map<Pasid, std::uint32_t> attached;  // hwpts
  };
  // A call: ends by calling `finish`.
  using Call = std::function<void(Result finish)>;

  void call(Call call, Result result);
  static Outcome failed(Errno error) { return {error, 0, 0}; }

  Errno make_hwpt(std::uint32_t ioas, std::uint32_t faults, bool automatic, std::uint32_t& id);
  void drop_hwpt(std::uint32_t id);
  Errno table_of(std::uint32_t id, Hwpt*& hwpt);
  void attach_now(std::uint32_t dev_id, Pasid pasid, std::uint32_t table, const Result& finish);
  void attached(std::uint32_t dev_id, Pasid pasid, std::uint32_t hwpt, std::uint32_t before);
  void detach_now(std::uint32_t dev_id, Pasid pasid, const Task& done);
  void unbind_now(std::uint32_t dev_id, const Result& finish);
  void map_now(std::uint32_t ioas, const Map& map, const Result& finish);
  Errno destroy_now(std::uint32_t id, const Result& finish);
  IopfQueue::Handler handler(std::uint32_t dev_id, Pasid pasid, std::uint32_t hwpt);
  void release(std::uint32_t hwpt);
  void tear_down();

  Ground ground_;
  std::uint64_t owner_;
  std::uint32_t next_id_ = 1;
  std::map<std::uint32_t, Bound> devices_;
  std::map<std::uint32_t, Ioas> ioases_;
  std::map<std::uint32_t, Hwpt> hwpts_;
  std::map<std::uint32_t, FaultQueue> faults_;
  SerialWork calls_;
  bool closed_ = false;
  bool gone_ = false;
};

}  // namespace svasim
