#include "sim/script/script_system.h"

#include <cstring>

namespace svasim {

ScriptSystem::ScriptSystem(const std::string& name, const ScriptParams& params) : params_(params) {
  const auto named = [&](const char* what) { return name + what; };
  constexpr std::uint64_t kInterruptBytes = kInterruptRangeLast - kInterruptRangeFirst + 1;
  const bool prq = params.iommu.capabilities.page_requests;
  memory_ = std::make_unique<Memory>(named("memory").c_str(), params.memory, context_);
  bus_ = std::make_unique<MemoryBus>(named("bus").c_str(), params.bus, context_, prq ? 5 : 4, 4);
  walker_ = std::make_unique<PageTableWalker>(named("walker").c_str(), params.walker, context_);
  iommu_ = std::make_unique<Iommu>(named("iommu").c_str(), params.iommu, context_, 1);
  interrupts_ = std::make_unique<ScriptInterrupts>(named("interrupts").c_str());
  rom_ = std::make_unique<ScriptRom>(named("rom").c_str(), kRom, kRomBytes);
  host_ = std::make_unique<ScriptHost>(named("host").c_str());
  device_ = std::make_unique<ScriptDevice>(named("device").c_str(), pool_);
  checker_ = std::make_unique<AtChecker<PcieProtocol>>(named("checker").c_str());

  bus_->map(0, "memory", params.memory.base, params.memory.size);
  bus_->map(1, "interrupts", kInterruptRangeFirst, kInterruptBytes);
  bus_->map(2, "iommu", params.iommu.register_base, IommuParams::kRegisterBytes);
  bus_->map(3, "rom", kRom, kRomBytes);
  bus_->target(0).bind(memory_->socket());
  bus_->target(1).bind(interrupts_->socket);
  bus_->target(2).bind(iommu_->register_socket());
  bus_->target(3).bind(rom_->socket);
  iommu_->data_socket().bind(bus_->initiator(0));
  iommu_->structure_socket().bind(bus_->initiator(1));
  walker_->memory_socket().bind(bus_->initiator(2));
  host_->socket.bind(bus_->initiator(3));
  iommu_->walk_socket().bind(walker_->requester(0));
  if (prq) {
    prq_ = std::make_unique<PageRequestQueue>(named("prq").c_str(), params.prq, context_);
    prq_->memory().bind(bus_->initiator(4));
    iommu_->page_request_socket().bind(prq_->requests());
    iommu_->set_page_request_registers(*prq_);
  }
  device_->requests.bind(checker_->target);
  checker_->initiator.bind(iommu_->requests(0));
  iommu_->messages(0).bind(device_->messages);
  device_->set_answer_delay(kDeviceAnswer);
}

bool ScriptSystem::read_register(std::uint32_t offset, unsigned bytes, std::uint64_t& value) {
  value = 0;
  Ps time = 0;
  const bool ok = host_->access(params_.iommu.register_base + offset,
                                reinterpret_cast<unsigned char*>(&value), bytes, false, time);
  advance(time);
  return ok;
}

bool ScriptSystem::write_register(std::uint32_t offset, unsigned bytes, std::uint64_t value) {
  Ps time = 0;
  const bool ok = host_->access(params_.iommu.register_base + offset,
                                reinterpret_cast<unsigned char*>(&value), bytes, true, time);
  advance(time);
  return ok;
}

bool ScriptSystem::has_memory(Addr address, std::uint64_t bytes) const {
  return in_rom(address, bytes) || (address >= params_.memory.base && bytes <= params_.memory.size &&
                                    address - params_.memory.base <= params_.memory.size - bytes);
}

void ScriptSystem::read(Addr address, void* data, std::size_t bytes) const {
  if (in_rom(address, bytes)) {
    std::memcpy(data, rom_->at(address), bytes);
    return;
  }
  memory_->contents().read(address - params_.memory.base, data, bytes);
}

void ScriptSystem::write(Addr address, const void* data, std::size_t bytes) {
  if (in_rom(address, bytes)) {
    std::memcpy(rom_->at(address), data, bytes);
    return;
  }
  memory_->contents().write(address - params_.memory.base, data, bytes);
}

bool ScriptSystem::read64(Addr address, std::uint64_t& value) const {
  if (!has_memory(address, 8)) return false;
  read(address, &value, 8);
  return true;
}

bool ScriptSystem::write64(Addr address, std::uint64_t value) {
  if (!has_memory(address, 8)) return false;
  write(address, &value, 8);
  return true;
}

void ScriptSystem::advance(Ps time) {
  if (time != 0) sc_core::sc_start(to_sc(time));
}

}  // namespace svasim
