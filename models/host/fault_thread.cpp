#include "models/host/fault_thread.h"

#include "models/host/process.h"

namespace svasim {

void FaultThread::run() {
  FaultQueue* const queue = driver_.fault_queue(step_.faults);
  if (queue == nullptr) return thread_.end(Errno::kNoEntry);
  if (answered_ == step_.count) return thread_.end();
  queue->when_readable([self = shared_from_this()] {
    if (!self->thread_.stopped()) self->read();
  });
}

void FaultThread::read() {
  FaultQueue* const queue = driver_.fault_queue(step_.faults);
  if (queue == nullptr) return thread_.end(Errno::kNoEntry);
  constexpr std::uint64_t kRecords = 64;
  records_.clear();
  static_cast<void>(queue->read(kRecords * sizeof(IommufdFault), records_));
  // Another thread may have been faster.
  records_.empty() ? run() : serve(0, true);
}

void FaultThread::serve(std::size_t index, bool good) {
  if (index == records_.size()) return run();
  thread_.later(step_.time, [self = shared_from_this(), index, good] { self->served(index, good); });
}

void FaultThread::served(std::size_t index, bool good) {
  if (!good) return answer(index, false);
  const IommufdFault& record = records_[index];
  Process& process = thread_.process();
  const Addr iova = record.addr & ~(kPageSize - 1);
  const Addr user = driver_.user_address(step_.object, iova);
  const Buffer* const buffer = process.buffer_at(user);
  if (buffer == nullptr) return answer(index, false);
  driver_.map(step_.object, {user, user + kPageSize}, {buffer->start, buffer->start + buffer->size}, iova,
              (record.perm & IommufdFault::kWrite) != 0,
              [self = shared_from_this(), index](const Iommufd::Outcome& outcome) {
                if (self->thread_.stopped()) return;
                self->thread_.result().pages += outcome.error == Errno::kNone ? 1 : 0;
                // Somebody else may have mapped it for another fault.
                self->answer(index, outcome.error == Errno::kNone || outcome.error == Errno::kExists);
              });
}

void FaultThread::answer(std::size_t index, bool good) {
  const IommufdFault& record = records_[index];
  if ((record.flags & IommufdFault::kLastPage) == 0) return serve(index + 1, good);
  FaultQueue* const queue = driver_.fault_queue(step_.faults);
  if (queue != nullptr && queue->write(record.cookie, good) == Errno::kNone) {
    ++(good ? thread_.result().completed : thread_.result().failed);
  }
  ++answered_;
  serve(index + 1, true);
}

}  // namespace svasim
