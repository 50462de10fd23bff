#include "models/dsa/operations/operation.h"

namespace svasim {

namespace {

std::array<const DsaOperation*, 64> make_index() {
  std::array<const DsaOperation*, 64> index{};
  const auto add = [&](const auto& rows) {
    for (const DsaOperation& row : rows) index[static_cast<std::size_t>(row.opcode)] = &row;
  };
  add(kDsaControlOperations);
  add(kDsaMoveOperations);
  add(kDsaCompareOperations);
  add(kDsaDeltaOperations);
  add(kDsaCrcOperations);
  add(kDsaDifOperations);
  return index;
}

const std::array<const DsaOperation*, 64>& index() {
  static const std::array<const DsaOperation*, 64> rows = make_index();
  return rows;
}

}  // namespace

const DsaOperation* dsa_operation(DsaOpcode opcode) {
  const auto number = static_cast<std::size_t>(opcode);
  return number < index().size() ? index()[number] : nullptr;
}

std::uint64_t dsa_operations(unsigned version) {
  std::uint64_t bits = 0;
  for (const DsaOperation* row : index()) {
    if (row != nullptr && row->version <= version) {
      bits |= std::uint64_t{1} << static_cast<unsigned>(row->opcode);
    }
  }
  return bits;
}

DsaBuffer& DsaPlan::add(DsaBuffer::Access access, DsaOperandId id, Addr base, std::uint64_t bytes,
                        std::uint64_t from) {
  DsaBuffer& buffer = buffers[count++];
  buffer = DsaBuffer();
  buffer.access = access;
  buffer.write = access == DsaBuffer::Access::kWrite || access == DsaBuffer::Access::kEmit;
  buffer.id = id;
  buffer.base = base;
  buffer.size = bytes;
  buffer.first = from;
  buffer.last = from + bytes;
  return buffer;
}

void DsaPlan::add_in_units(DsaBuffer::Access access, DsaOperandId id, Addr base, std::uint64_t skip,
                           std::uint64_t length) {
  DsaBuffer& buffer = add(access, id, base, (size - begin) / unit * length, begin);
  buffer.last = size;
  buffer.period = unit;
  buffer.skip = skip;
  buffer.length = length;
}

void DsaRun::reset() {
  std::vector<DsaEmit> old_emits = std::move(emits);
  std::vector<DsaDescriptor> old_members = std::move(members);
  *this = DsaRun();
  // WHY kept: their room is used again without an allocation.
  emits = std::move(old_emits);
  members = std::move(old_members);
  emits.clear();
  members.clear();
}

void DsaRun::stop(std::uint64_t position, DsaStatus status) {
  if (stopped) return;
  stopped = true;
  stop_position = position;
  stop_status = status;
}

void dsa_check_result(const DsaDescriptor& d, bool expected, DsaCompletionRecord& record) {
  if (d.flag<DsaFlags::CHECK_RESULT>() && !expected && record.code() == DsaStatus::kSuccess) {
    record.set_status(DsaStatus::kSuccessFalsePredicate);
  }
}

}  // namespace svasim
