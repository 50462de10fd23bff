#include "models/dsa/dsa_registers_file.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "models/dsa/operations/operation.h"
#include "models/formats/dsa_event.h"

namespace svasim {

namespace {

constexpr unsigned kMsixEntry = 16;
constexpr unsigned kMsixMaskWord = 12;

unsigned log2_of(std::uint64_t value) { return 63U - static_cast<unsigned>(__builtin_clzll(value)); }

bool within(std::uint32_t offset, std::uint32_t base, std::uint64_t size) {
  return offset >= base && offset - base < size;
}

}  // namespace

DsaRegisters::DsaRegisters(const DsaParams& params) : params_(params), bytes_(kSize, 0) {
  handles_.resize(params_.interrupt_handles);
  for (unsigned i = 0; i < params_.interrupts; ++i) {
    set32(dsa_reg::kMsixTable + i * kMsixEntry + kMsixMaskWord, 1);
  }
  reset();
}

std::uint32_t DsaRegisters::get32(std::uint32_t offset) const {
  std::uint32_t value = 0;
  std::memcpy(&value, &bytes_[offset], sizeof value);
  return value;
}
std::uint64_t DsaRegisters::get64(std::uint32_t offset) const {
  std::uint64_t value = 0;
  std::memcpy(&value, &bytes_[offset], sizeof value);
  return value;
}
void DsaRegisters::set32(std::uint32_t offset, std::uint32_t value) {
  std::memcpy(&bytes_[offset], &value, sizeof value);
}
void DsaRegisters::set64(std::uint32_t offset, std::uint64_t value) {
  std::memcpy(&bytes_[offset], &value, sizeof value);
}

// SPEC: [DSA 9.2]
void DsaRegisters::set_capabilities() {
  using namespace dsa_reg;
  const bool second = params_.version >= 2;
  set32(kVersion, params_.version << 8U);
  set64(kGencap,
        DsaGencap::BLOCK_ON_FAULT::make(1) | DsaGencap::OVERLAPPING_COPY::make(params_.overlapping_copy) |
            DsaGencap::CACHE_CONTROL::make(1) | DsaGencap::COMMAND_CAPABILITIES::make(1) |
            DsaGencap::DRAIN_READBACK::make(1) | DsaGencap::TRANSLATION_FETCH_STRIDE::make(second) |
            DsaGencap::FILL16::make(second) | DsaGencap::CRC64::make(second) |
            DsaGencap::FAULT_INFO::make(second) | DsaGencap::EVENT_LOG::make(has_event_log()) |
            DsaGencap::EVENT_LOG_OVERFLOW::make(has_event_log() && params_.event_log_overflow) |
            DsaGencap::BATCH_CONTINUATION::make(second) |
            DsaGencap::MAX_TRANSFER::make(log2_of(params_.max_transfer)) |
            DsaGencap::MAX_BATCH::make(log2_of(params_.max_batch)) | DsaGencap::CONFIGURABLE::make(1));
  set64(kWqcap, DsaWqcap::TOTAL_SIZE::make(params_.queue_entries) | DsaWqcap::QUEUES::make(params_.queues) |
                    DsaWqcap::WQCFG_SIZE::make(kWqcfgSize) |
                    DsaWqcap::SHARED_MODE::make(params_.shared_queues) | DsaWqcap::DEDICATED_MODE::make(1) |
                    DsaWqcap::ATS_CONTROL::make(1) | DsaWqcap::PRIORITY::make(1) |
                    DsaWqcap::OCCUPANCY::make(1) | DsaWqcap::OCCUPANCY_INTERRUPT::make(1) |
                    DsaWqcap::OPERATIONS::make(1) | DsaWqcap::PRS_CONTROL::make(second));
  set64(kGrpcap,
        DsaGrpcap::GROUPS::make(params_.groups) | DsaGrpcap::READ_BUFFERS::make(params_.read_buffers));
  set64(kEngcap, DsaEngcap::ENGINES::make(params_.engines) |
                     DsaEngcap::DESCRIPTORS_IN_PROGRESS::make(params_.descriptors_in_progress) |
                     DsaEngcap::BATCHES_IN_PROGRESS::make(params_.batches_in_progress));
  set64(kOpcap, dsa_operations(params_.version));
  set64(kOffsets, DsaOffsets::GRPCFG::make(kGrpcfg / DsaOffsets::kUnit) |
                      DsaOffsets::WQCFG::make(kWqcfg / DsaOffsets::kUnit) |
                      DsaOffsets::MSIXPERM::make(kMsixperm / DsaOffsets::kUnit));
  constexpr std::uint32_t kCommands = 0x1FFE;
  constexpr std::uint32_t kHandleCommands = 0x6000;
  set32(kCmdcap, kCommands | (params_.interrupt_handles != 0 ? kHandleCommands : 0));
}

void DsaRegisters::reset() {
  const std::uint32_t command = get32(dsa_reg::kCmd);
  const std::uint32_t status = get32(dsa_reg::kCmdstatus);
  std::fill(bytes_.begin(), bytes_.begin() + dsa_reg::kSwerror, std::uint8_t{0});
  std::fill(bytes_.begin() + dsa_reg::kEvlcfg, bytes_.begin() + dsa_reg::kEvlstatus, std::uint8_t{0});
  std::fill(bytes_.begin() + dsa_reg::kEvlstatus + 8, bytes_.begin() + dsa_reg::kMsixTable, std::uint8_t{0});
  std::fill(handles_.begin(), handles_.end(), std::nullopt);
  set32(dsa_reg::kCmd, command);
  set32(dsa_reg::kCmdstatus, status);
  set_capabilities();
  set_state(DsaDeviceState::kDisabled);
  set32(dsa_reg::kGencfg,
        static_cast<std::uint32_t>(DsaGencfg::READ_BUFFER_LIMIT::make(params_.read_buffers)));
  for (unsigned group = 0; group < params_.groups; ++group) {
    set64(dsa_reg::kGrpcfg + group * DsaGrpcfg::kStride + DsaGrpcfg::kFlags,
          DsaGrpcfg::READ_BUFFERS_ALLOWED::make(params_.read_buffers));
  }
  for (unsigned queue = 0; queue < params_.queues; ++queue) {
    reset_queue(queue);
  }
}

void DsaRegisters::reset_queue(unsigned queue) {
  const std::uint32_t base = wqcfg(queue);
  const std::uint32_t size = get32(base + DsaWqcfg::kSize);
  std::fill_n(bytes_.begin() + base, DsaWqcfg::stride(kWqcfgSize), std::uint8_t{0});
  set32(base + DsaWqcfg::kSize, size);
  set32(base + DsaWqcfg::kStatus, static_cast<std::uint32_t>(DsaWqcfg::MODE_SUPPORT::make(1)));
  set64(base + DsaWqcfg::kOperations, operations());
}

void DsaRegisters::read(std::uint32_t offset, void* data, unsigned size) const {
  if (offset >= kSize || size > kSize - offset) {
    std::memset(data, 0, size);
    return;
  }
  std::memcpy(data, &bytes_[offset], size);
}

bool DsaRegisters::write(std::uint32_t offset, const void* data, unsigned size) {
  if (size == 0 || size > 8 || (size & (size - 1)) != 0 || offset % size != 0 || offset >= kSize) {
    return false;
  }
  if (size == 8) {
    std::uint32_t words[2];
    std::memcpy(words, data, sizeof words);
    const bool first = write32(offset, words[0], ~0U);
    return write32(offset + 4, words[1], ~0U) || first;
  }
  std::uint32_t value = 0;
  std::memcpy(&value, data, size);
  const unsigned shift = 8 * (offset % 4);
  const auto enabled = static_cast<std::uint32_t>(mask_between(8 * size - 1, 0));
  return write32(offset & ~3U, value << shift, enabled << shift);
}

bool DsaRegisters::write32(std::uint32_t offset, std::uint32_t value, std::uint32_t enabled) {
  using namespace dsa_reg;
  const std::uint32_t merged = (get32(offset) & ~enabled) | (value & enabled);
  const bool disabled = state_ == DsaDeviceState::kDisabled;
  const auto keep = [&](std::uint64_t mask) {
    set32(offset,
          (get32(offset) & ~static_cast<std::uint32_t>(mask)) | (merged & static_cast<std::uint32_t>(mask)));
  };
  const auto clear_ones = [&](std::uint64_t mask) {
    set32(offset, get32(offset) & ~(value & enabled & static_cast<std::uint32_t>(mask)));
  };
  switch (offset) {
    case kGencfg:
      if (disabled) {
        keep(DsaGencfg::READ_BUFFER_LIMIT::kMask | DsaGencfg::USER_INTERRUPTS::kMask |
             DsaGencfg::EVENT_LOG::kMask);
      }
      return false;
    case kGenctrl:
      keep(DsaGenctrl::SOFTWARE_ERROR_INTERRUPT::kMask | DsaGenctrl::HALT_INTERRUPT::kMask |
           DsaGenctrl::EVENT_LOG_INTERRUPT::kMask);
      return false;
    case kIntcause:
      clear_ones(~0U);
      return false;
    case kCmd:
      set32(offset, merged);
      return true;
    case kSwerror:
      clear_ones(DsaSwerror::VALID::kMask | DsaSwerror::OVERFLOW_BIT::kMask);
      return false;
    case kEvlcfg:
    case kEvlcfg + 4:
    case kEvlcfg + 8:
    case kEvlcfg + 12:
      write_event_log_config(offset, merged);
      return false;
    case kEvlstatus:
      if (has_event_log()) keep(DsaEvlstatus::HEAD::kMask);
      return false;
    case kEvlstatus + 4:
      clear_ones(DsaEvlstatus::INTERRUPT_PENDING::kMask >> 32U);
      return false;
    default:
      break;
  }
  if (within(offset, kGrpcfg, std::uint64_t{params_.groups} * DsaGrpcfg::kStride)) {
    if (disabled && (offset - kGrpcfg) % DsaGrpcfg::kStride < DsaGrpcfg::kFlags + 8) keep(~0U);
  } else if (within(offset, kWqcfg, std::uint64_t{params_.queues} * DsaWqcfg::stride(kWqcfgSize))) {
    write_queue_config(offset, merged, value & enabled);
  } else if (within(offset, kMsixperm, std::uint64_t{params_.interrupts} * DsaMsixperm::kStride)) {
    if (offset % DsaMsixperm::kStride == 0) {
      keep(DsaMsixperm::IGNORE_INTERRUPT::kMask | DsaMsixperm::PASID_ENABLE::kMask |
           DsaMsixperm::PASID::kMask);
    }
  } else if (within(offset, kMsixTable, std::uint64_t{params_.interrupts} * kMsixEntry)) {
    keep(offset % kMsixEntry == kMsixMaskWord ? 1U : ~0U);
  }
  return false;
}

void DsaRegisters::write_event_log_config(std::uint32_t offset, std::uint32_t value) {
  if (!has_event_log() || state_ != DsaDeviceState::kDisabled) {
    return;
  }
  const std::uint64_t fields[2] = {
      DsaEvlcfg::PASID_ENABLE::kMask | DsaEvlcfg::PRIV::kMask | DsaEvlcfg::BASE::kMask,
      DsaEvlcfg::SIZE::kMask | DsaEvlcfg::PASID::kMask};
  const std::uint32_t word = (offset - dsa_reg::kEvlcfg) / 4;
  set32(offset, value & static_cast<std::uint32_t>(fields[word / 2] >> (32 * (word % 2))));
}

// `ones`: what the write holds, to clear bits with.
void DsaRegisters::write_queue_config(std::uint32_t offset, std::uint32_t value, std::uint32_t ones) {
  const std::uint32_t stride = DsaWqcfg::stride(kWqcfgSize);
  const unsigned queue = (offset - dsa_reg::kWqcfg) / stride;
  const std::uint32_t word = (offset - dsa_reg::kWqcfg) % stride;
  if (word == DsaWqcfg::kThreshold) {
    set32(offset, value & 0xFFFF);
  } else if (word == DsaWqcfg::kSize) {
    if (state_ == DsaDeviceState::kDisabled) set32(offset, value & 0xFFFF);
  } else if (word == DsaWqcfg::kStatus) {
    set32(offset, get32(offset) & ~(ones & static_cast<std::uint32_t>(DsaWqcfg::INTERRUPT_GENERATED::kMask)));
  } else if (queue_state(queue) == DsaWqState::kDisabled) {
    set32(offset, value);
  }
}

void DsaRegisters::set_state(DsaDeviceState state) {
  state_ = state;
  set32(dsa_reg::kGensts,
        static_cast<std::uint32_t>(DsaGensts::STATE::make(static_cast<std::uint64_t>(state))));
}

DsaWqState DsaRegisters::queue_state(unsigned queue) const {
  return static_cast<DsaWqState>(DsaWqcfg::STATE::get(get32(wqcfg(queue) + DsaWqcfg::kStatus)));
}

void DsaRegisters::set_queue_state(unsigned queue, DsaWqState state) {
  const std::uint32_t offset = wqcfg(queue) + DsaWqcfg::kStatus;
  set32(offset,
        static_cast<std::uint32_t>(DsaWqcfg::STATE::set(get32(offset), static_cast<std::uint64_t>(state))));
}

void DsaRegisters::set_occupancy(unsigned queue, unsigned entries) {
  const std::uint32_t offset = wqcfg(queue) + DsaWqcfg::kStatus;
  set32(offset, static_cast<std::uint32_t>(DsaWqcfg::OCCUPANCY::set(get32(offset), entries)));
}

// SPEC: [DSA 9.2.29]. MODEL: the specification's text says below; an interrupt is due when occupancy falls
// from the limit to less.
std::optional<unsigned> DsaRegisters::occupancy_interrupt(unsigned queue, unsigned before, unsigned entries) {
  const std::uint32_t base = wqcfg(queue);
  const std::uint32_t limit = get32(base + DsaWqcfg::kOccupancyLimit);
  const std::uint32_t status = get32(base + DsaWqcfg::kStatus);
  const std::uint64_t least = DsaWqcfg::LIMIT::get(limit);
  if (DsaWqcfg::INTERRUPT_ENABLE::get(limit) == 0 || DsaWqcfg::INTERRUPT_GENERATED::get(status) != 0 ||
      before < least || entries >= least) {
    return std::nullopt;
  }
  set32(base + DsaWqcfg::kStatus, status | static_cast<std::uint32_t>(DsaWqcfg::INTERRUPT_GENERATED::kMask));
  return static_cast<unsigned>(DsaWqcfg::INTERRUPT_HANDLE::get(get32(base + DsaWqcfg::kOccupancyInterrupt)));
}

bool DsaRegisters::occupancy_interrupt_valid(unsigned queue) const {
  const std::uint32_t base = wqcfg(queue);
  const std::uint32_t interrupt = get32(base + DsaWqcfg::kOccupancyInterrupt);
  return DsaWqcfg::INTERRUPT_ENABLE::get(get32(base + DsaWqcfg::kOccupancyLimit)) == 0 ||
         (DsaWqcfg::INTERRUPT_TABLE::get(interrupt) == 0 &&
          vector_of(static_cast<unsigned>(DsaWqcfg::INTERRUPT_HANDLE::get(interrupt))).has_value());
}

// --- event log ---

DsaEventLogConfig DsaRegisters::event_log() const {
  const std::uint64_t first = get64(dsa_reg::kEvlcfg);
  const std::uint64_t second = get64(dsa_reg::kEvlcfg + 8);
  DsaEventLogConfig config;
  config.enabled = DsaGencfg::EVENT_LOG::get(get32(dsa_reg::kGencfg)) != 0;
  config.pasid_enable = DsaEvlcfg::PASID_ENABLE::get(first) != 0;
  config.privileged = DsaEvlcfg::PRIV::get(first) != 0;
  config.pasid = Pasid(static_cast<std::uint32_t>(DsaEvlcfg::PASID::get(second)));
  config.base = first & DsaEvlcfg::BASE::kMask;
  config.size = DsaEvlcfg::SIZE::get(second);
  return config;
}

bool DsaRegisters::event_log_full() const {
  const std::uint64_t status = get64(dsa_reg::kEvlstatus);
  return (DsaEvlstatus::TAIL::get(status) + 1) % event_log().size == DsaEvlstatus::HEAD::get(status);
}

Addr DsaRegisters::event_log_place() const {
  return event_log().base + DsaEvlstatus::TAIL::get(get64(dsa_reg::kEvlstatus)) * sizeof(DsaEvent);
}

bool DsaRegisters::advance_event_log() {
  const std::uint64_t status = get64(dsa_reg::kEvlstatus);
  const bool pending = DsaEvlstatus::INTERRUPT_PENDING::get(status) != 0;
  const bool wanted = DsaGenctrl::EVENT_LOG_INTERRUPT::get(general_control()) != 0;
  const std::uint64_t tail = (DsaEvlstatus::TAIL::get(status) + 1) % event_log().size;
  set64(dsa_reg::kEvlstatus,
        DsaEvlstatus::TAIL::set(status, tail) | DsaEvlstatus::INTERRUPT_PENDING::make(pending || wanted));
  return wanted && !pending;
}

// --- interrupt handles ---

// MODEL: a vector that has a handle keeps it when it is asked for again.
std::optional<unsigned> DsaRegisters::request_handle(unsigned vector) {
  std::optional<unsigned> free;
  for (unsigned handle = 0; handle < handles_.size(); ++handle) {
    if (handles_[handle] == vector) return handle;
    if (!handles_[handle] && !free) free = handle;
  }
  if (free) handles_[*free] = vector;
  return free;
}

bool DsaRegisters::release_handle(unsigned handle) {
  if (handle >= handles_.size() || !handles_[handle]) return false;
  handles_[handle].reset();
  return true;
}

std::optional<unsigned> DsaRegisters::vector_of(unsigned handle) const {
  if (handles_.empty()) return handle < params_.interrupts ? std::optional<unsigned>(handle) : std::nullopt;
  return handle < handles_.size() ? handles_[handle] : std::nullopt;
}

bool DsaRegisters::report_error(std::uint64_t word0, std::uint64_t word1, std::uint64_t address) {
  const std::uint64_t present = get64(dsa_reg::kSwerror);
  if (DsaSwerror::VALID::get(present) != 0) {
    set64(dsa_reg::kSwerror, present | DsaSwerror::OVERFLOW_BIT::kMask);
    return false;
  }
  set64(dsa_reg::kSwerror, word0 | DsaSwerror::VALID::kMask);
  set64(dsa_reg::kSwerror + 8, word1);
  set64(dsa_reg::kSwerror + 16, address);
  return true;
}

DsaQueueConfig DsaRegisters::queue_config(unsigned queue) const {
  const std::uint32_t base = wqcfg(queue);
  const std::uint32_t mode = get32(base + DsaWqcfg::kMode);
  DsaQueueConfig config;
  config.size = static_cast<unsigned>(DsaWqcfg::SIZE::get(get32(base + DsaWqcfg::kSize)));
  config.threshold = std::min(config.size, get32(base + DsaWqcfg::kThreshold));
  config.priority = static_cast<unsigned>(DsaWqcfg::PRIORITY::get(mode));
  config.dedicated = DsaWqcfg::DEDICATED::get(mode) != 0;
  config.block_on_fault = DsaWqcfg::BLOCK_ON_FAULT::get(mode) != 0;
  config.ats_disable = DsaWqcfg::ATS_DISABLE::get(mode) != 0;
  config.prs_disable = DsaWqcfg::PRS_DISABLE::get(mode) != 0;
  config.pasid_enable = DsaWqcfg::PASID_ENABLE::get(mode) != 0;
  config.privileged = DsaWqcfg::PRIV::get(mode) != 0;
  config.pasid = Pasid(static_cast<std::uint32_t>(DsaWqcfg::PASID::get(mode)));
  config.max_transfer = std::uint64_t{1} << DsaWqcfg::MAX_TRANSFER::get(get32(base + DsaWqcfg::kLimits));
  config.max_batch = std::uint64_t{1} << DsaWqcfg::MAX_BATCH::get(get32(base + DsaWqcfg::kLimits));
  config.operations = get64(base + DsaWqcfg::kOperations);
  return config;
}

std::uint64_t DsaRegisters::group_queues(unsigned group) const {
  return get64(dsa_reg::kGrpcfg + group * DsaGrpcfg::kStride + DsaGrpcfg::kWqBitmap);
}
std::uint64_t DsaRegisters::group_engines(unsigned group) const {
  return get64(dsa_reg::kGrpcfg + group * DsaGrpcfg::kStride + DsaGrpcfg::kEngineBitmap);
}
unsigned DsaRegisters::group_read_buffers(unsigned group) const {
  return static_cast<unsigned>(DsaGrpcfg::READ_BUFFERS_ALLOWED::get(
      get64(dsa_reg::kGrpcfg + group * DsaGrpcfg::kStride + DsaGrpcfg::kFlags)));
}
std::uint32_t DsaRegisters::interrupt_permission(unsigned vector) const {
  return get32(dsa_reg::kMsixperm + vector * DsaMsixperm::kStride);
}

DsaRegisters::Vector DsaRegisters::vector(unsigned number) const {
  const std::uint32_t base = dsa_reg::kMsixTable + number * kMsixEntry;
  return Vector{get64(base), get32(base + 8), (get32(base + kMsixMaskWord) & 1U) != 0};
}
bool DsaRegisters::pending(unsigned number) const {
  return ((bytes_[dsa_reg::kMsixPba + number / 8] >> (number % 8)) & 1U) != 0;
}
void DsaRegisters::set_pending(unsigned number, bool pending) {
  std::uint8_t& byte = bytes_[dsa_reg::kMsixPba + number / 8];
  const auto bit = static_cast<std::uint8_t>(1U << (number % 8));
  byte = static_cast<std::uint8_t>(pending ? byte | bit : byte & ~bit);
}

}  // namespace svasim
