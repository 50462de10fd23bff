// What the IOMMU tells who watches the uses of translations.
#include <algorithm>
#include <cstring>

#include "models/iommu/iommu.h"

namespace svasim {

bool Iommu::debug_access(tlm::tlm_command command, Addr address, std::uint64_t& word) {
  tlm::tlm_generic_payload& payload = debug_payload_;
  payload.set_command(command);
  payload.set_address(address);
  payload.set_data_ptr(reinterpret_cast<unsigned char*>(&word));
  payload.set_data_length(sizeof(word));
  payload.set_streaming_width(sizeof(word));
  return structures_.port.debug(payload) == sizeof(word);
}

bool Iommu::peek(Addr address, std::uint64_t& word) {
  return debug_access(tlm::TLM_READ_COMMAND, address, word);
}

// An untranslated request, or the answer to a translation request, has its address now. It may still wait for
// earlier writes; invalidations that ask for draining wait for it then.
void Iommu::report_use(const Request& r, const Translation& t) const {
  TranslationUse use;
  use.time = now_ps();
  use.in_order = context_.loose();
  use.number = r.number;
  use.requester = r.requester;
  use.has_pasid = r.has_pasid;
  use.privileged = r.access.privileged;
  use.answer = r.kind == RequestKind::kTranslationRequest;
  use.read = use.answer ? t.read : r.access.read;
  use.write = use.answer ? t.write : r.access.write;
  use.origin = r.hit ? TranslationOrigin::kIotlb : TranslationOrigin::kWalk;
  use.page_shift = r.shift;
  use.pasid = r.pasid;
  use.iova = r.iova;
  use.last = r.last;
  use.address = r.address();
  use.born = r.born;
  use.context_born = r.context_born;
  use.space_born = r.space_born;
  use.space = r.tag.bits();
  context_.monitor->used(*this, use);
}

void Iommu::note_queued() {
  const InvalidationQueueRegisters& queue = registers_.queue();
  const unsigned bytes = queue.descriptor_bytes();
  if (!registers_.queue_enabled() || queue.tail >= queue.size || queue.tail % bytes != 0) {
    return;
  }
  for (; noted_ != queue.tail; noted_ = (noted_ + bytes) % queue.size) {
    InvalidationDescriptor descriptor{};
    for (unsigned i = 0; i < bytes / 8; ++i) {
      peek(queue.base + noted_ + i * 8, descriptor[i]);
    }
    // One that is in error stops the queue before it covers anything.
    InvalidationOperation operation;
    if (decode_invalidation(descriptor, translator_.root().mode, queue.wide,
                            capabilities_.params().max_address_mask, operation)) {
      operation = InvalidationOperation();
    }
    history_.queued(operation, now_ps());
  }
}

}  // namespace svasim
