// The operations of the reference device: buffers as far as they can be reached, then the result.
#include <algorithm>

#include "models/reference/reference_dsa.h"
#include "models/reference/reference_dsa_fields.h"

namespace svasim {

using namespace reference_dsa;

namespace {

using Bytes = std::vector<std::uint8_t>;

void put(DsaCompletionRecord& record, unsigned offset, std::uint64_t value, unsigned size) {
  for (unsigned i = 0; i < size; ++i) {
    record.specific[offset - 16 + i] = static_cast<std::uint8_t>(value >> (8 * i));
  }
}

// SPEC: [DSA 8.3]
void expect(const DsaDescriptor& d, bool as_expected, DsaCompletionRecord& record) {
  if (bit(d, 7) && !as_expected) record.set_status(DsaStatus::kSuccessFalsePredicate);
}

std::uint64_t big_endian(const Bytes& bytes, std::size_t from, unsigned count) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < count; ++i) value = value * 256 + bytes[from + i];
  return value;
}

}  // namespace

std::uint64_t reference_reversed(std::uint64_t value, unsigned width) {
  std::uint64_t result = 0;
  for (unsigned i = 0; i < width; ++i) {
    if (((value >> i) & 1U) != 0) result |= std::uint64_t{1} << (width - 1 - i);
  }
  return result;
}

std::uint64_t reference_crc(const std::vector<std::uint8_t>& data, std::uint64_t start, unsigned width,
                            std::uint64_t polynomial, bool low_bit_first) {
  std::uint64_t remainder = start;
  const std::uint64_t top = std::uint64_t{1} << (width - 1);
  for (const std::uint8_t byte : data) {
    for (unsigned i = 0; i < 8; ++i) {
      const bool in = ((byte >> (low_bit_first ? i : 7 - i)) & 1U) != 0;
      const bool out = (remainder & top) != 0;
      remainder = (remainder & ~top) << 1U;
      if (in != out) remainder ^= polynomial;
    }
  }
  return remainder;
}

void ReferenceDsa::move(const DsaDescriptor& d, DsaCompletionRecord& record) {
  const Addr from = number_at(d, 16, 8);
  const Addr to = number_at(d, 24, 8);
  const std::uint64_t size = number_at(d, 32, 4);
  // SPEC: [DSA 8.3.3]
  const bool downwards = from < to && to < from + size;
  Buffer source{from, size, false, 1};
  Buffer destination{to, size, true, 3};
  source.downwards = destination.downwards = downwards;
  const Fault fault = first_fault({source, destination}, requests(d));
  const std::uint64_t count = fault.any ? fault.position : size;
  const std::uint64_t start = downwards ? size - count : 0;
  memory_.store(to + start, memory_.bytes(from + start, count));
  put_fault(fault, record, config_.version);
  record.bytes_completed = static_cast<std::uint32_t>(count);
  record.result = fault.any && downwards ? 1 : 0;
}

void ReferenceDsa::fill(const DsaDescriptor& d, DsaCompletionRecord& record) {
  const Addr to = number_at(d, 24, 8);
  const std::uint64_t size = number_at(d, 32, 4);
  const Fault fault = first_fault({{to, size, true, 3}}, requests(d));
  const std::uint64_t count = fault.any ? fault.position : size;
  const unsigned width = bit(d, 18) ? 16 : 8;
  for (std::uint64_t i = 0; i < count; ++i) {
    const unsigned at = static_cast<unsigned>(i % width);
    memory_.write(to + i, static_cast<std::uint8_t>(number_at(d, at < 8 ? 16 + at : 32 + at, 1)));
  }
  put_fault(fault, record, config_.version);
  record.bytes_completed = static_cast<std::uint32_t>(count);
}

void ReferenceDsa::compare(const DsaDescriptor& d, DsaCompletionRecord& record) {
  const std::uint64_t size = number_at(d, 32, 4);
  const bool two = opcode_of(d) == 0x05;
  std::vector<Buffer> buffers{{number_at(d, 16, 8), size, false, 1}};
  if (two) buffers.push_back({number_at(d, 24, 8), size, false, 2});
  const Fault fault = first_fault(buffers, requests(d));
  const std::uint64_t count = fault.any ? fault.position : size;
  const Bytes first = memory_.bytes(number_at(d, 16, 8), count);
  Bytes second;
  if (two) {
    second = memory_.bytes(number_at(d, 24, 8), count);
  } else {
    for (std::uint64_t i = 0; i < count; ++i) {
      second.push_back(static_cast<std::uint8_t>(number_at(d, 24 + static_cast<unsigned>(i % 8), 1)));
    }
  }
  const auto place = std::mismatch(first.begin(), first.end(), second.begin()).first;
  record.bytes_completed = static_cast<std::uint32_t>(place - first.begin());
  record.result = place != first.end() ? 1 : 0;
  if (record.result == 0 && fault.any) return put_fault(fault, record, config_.version);
  expect(d, record.result == number_at(d, 40, 1), record);
}

void ReferenceDsa::create_delta(const DsaDescriptor& d, DsaCompletionRecord& record) {
  const Addr a = number_at(d, 16, 8);
  const Addr b = number_at(d, 24, 8);
  const std::uint64_t size = number_at(d, 32, 4);
  const Addr to = number_at(d, 40, 8);
  const std::uint64_t room = number_at(d, 48, 4);
  Fault fault = first_fault({{a, size, false, 1}, {b, size, false, 2}}, requests(d));
  std::uint64_t count = fault.any ? fault.position : size;
  std::uint64_t used = 0;
  for (std::uint64_t i = 0; i < count; i += 8) {
    const Bytes wanted = memory_.bytes(b + i, 8);
    if (memory_.bytes(a + i, 8) == wanted) continue;
    if (used + 10 > room) {
      record.result = 2;
      fault = Fault();
      count = i;
      break;
    }
    Fault at_record;
    for (unsigned k = 0; k < 10 && !at_record.any; ++k) {
      at_record = fault_at({to, room, true, 3}, 2, used + k, requests(d));
    }
    if (at_record.any) {
      fault = at_record;
      count = i;
      break;
    }
    memory_.store(to + used, {static_cast<std::uint8_t>(i / 8), static_cast<std::uint8_t>(i / 8 / 256)});
    memory_.store(to + used + 2, wanted);
    used += 10;
  }
  record.bytes_completed = static_cast<std::uint32_t>(count);
  put(record, 16, used, 4);
  if (fault.any) return put_fault(fault, record, config_.version);
  if (record.result == 0 && used != 0) record.result = 1;
  expect(d, ((number_at(d, 56, 1) >> record.result) & 1U) != 0, record);
}

void ReferenceDsa::apply_delta(const DsaDescriptor& d, DsaCompletionRecord& record) {
  const Addr from = number_at(d, 16, 8);
  const Addr to = number_at(d, 24, 8);
  const std::uint64_t region = number_at(d, 32, 4);
  const std::uint64_t size = number_at(d, 40, 4);
  const Fault source = first_fault({{from, size, false, 1}}, requests(d));
  const std::uint64_t entries = (source.any ? source.position : size) / 10;
  Fault fault = source;
  std::uint64_t done = 0;
  std::uint64_t next = 0;  // least place the next entry may have
  for (; done < entries; ++done) {
    const std::uint64_t place = memory_.read(from + done * 10) + memory_.read(from + done * 10 + 1) * 256U;
    if (place < next) {
      record.set_status(DsaStatus::kDeltaOffsetOrder);
      fault = Fault();
      break;
    }
    if (place * 8 >= region) {
      record.set_status(DsaStatus::kDeltaOffsetRange);
      fault = Fault();
      break;
    }
    const Fault at_region = fault_at({to, region, true, 3}, 1, place * 8, requests(d));
    if (at_region.any) {
      fault = at_region;
      break;
    }
    memory_.store(to + place * 8, memory_.bytes(from + done * 10 + 2, 8));
    next = place + 1;
  }
  record.bytes_completed = static_cast<std::uint32_t>(done * 10);
  put_fault(fault, record, config_.version);
}

void ReferenceDsa::dualcast(const DsaDescriptor& d, DsaCompletionRecord& record) {
  const std::uint64_t size = number_at(d, 32, 4);
  const Fault fault = first_fault({{number_at(d, 16, 8), size, false, 1},
                                   {number_at(d, 24, 8), size, true, 3},
                                   {number_at(d, 40, 8), size, true, 4}},
                                  requests(d));
  const std::uint64_t count = fault.any ? fault.position : size;
  const Bytes data = memory_.bytes(number_at(d, 16, 8), count);
  memory_.store(number_at(d, 24, 8), data);
  memory_.store(number_at(d, 40, 8), data);
  put_fault(fault, record, config_.version);
  record.bytes_completed = static_cast<std::uint32_t>(count);
}

void ReferenceDsa::crc(const DsaDescriptor& d, DsaCompletionRecord& record) {
  const std::uint64_t size = number_at(d, 32, 4);
  const unsigned width = bit(d, 19) ? 64 : 32;
  const std::uint64_t all = width == 64 ? ~std::uint64_t{0} : 0xFFFFFFFF;
  std::vector<Buffer> buffers{{number_at(d, 16, 8), size, false, 1}};
  std::uint64_t before = 0;
  std::uint64_t seed = number_at(d, 40, width / 8);
  if (bit(d, 16)) {
    before = width / 8;
    buffers.push_back({number_at(d, 48, 8), before, false, 2});
  }
  if (opcode_of(d) == 0x11) buffers.push_back({number_at(d, 24, 8), size, true, 3});
  for (Buffer& buffer : buffers) buffer.start = buffer.id == 2 ? 0 : before;
  const Fault fault = first_fault(buffers, requests(d));
  const bool seeded = !fault.any || fault.position >= before;
  if (bit(d, 16) && seeded) {
    seed = 0;
    for (unsigned i = 0; i < width / 8; ++i) {
      seed |= std::uint64_t{memory_.read(number_at(d, 48, 8) + i)} << (8 * i);
    }
  }
  const std::uint64_t count = !fault.any ? size : seeded ? fault.position - before : 0;
  const Bytes data = memory_.bytes(number_at(d, 16, 8), count);
  if (opcode_of(d) == 0x11) memory_.store(number_at(d, 24, 8), data);
  const auto turned = [&](std::uint64_t value) {
    return bit(d, 17) ? value & all : reference_reversed(value, width) ^ all;
  };
  put(record, 16,
      turned(reference_crc(data, turned(seed), width, width == 64 ? 0xAD93D23594C93659 : 0x1EDC6F41,
                           !bit(d, 18))),
      8);
  put_fault(fault, record, config_.version);
  record.bytes_completed = static_cast<std::uint32_t>(count);
}

// Block by block, each as a whole.
void ReferenceDsa::dif(const DsaDescriptor& d, DsaCompletionRecord& record) {
  const unsigned op = opcode_of(d);
  const unsigned block = dif_block(d);
  const bool protected_source = op == 0x12 || op == 0x14 || op == 0x15;
  const unsigned in = block + (protected_source ? 8 : 0);
  const unsigned out = op == 0x12 ? 0 : op == 0x14 ? block : op == 0x17 ? 8 : block + 8;
  const std::uint64_t blocks = number_at(d, 32, 4) / in;
  const Addr from = number_at(d, 16, 8);
  const Addr to = number_at(d, 24, 8);
  Buffer source{from, blocks * in, false, 1};
  Buffer destination{to, blocks * out, true, 3};
  source.part = in;
  destination.part = out;
  source.whole = destination.whole = block + 8;
  destination.skip = op == 0x17 ? block : 0;
  std::vector<Buffer> buffers{source};
  if (out != 0) buffers.push_back(destination);
  Fault fault = first_fault(buffers, requests(d));
  const std::uint64_t reach = fault.any ? fault.position / (block + 8) : blocks;

  const std::uint64_t source_flags = number_at(d, 40, 1);
  const std::uint64_t destination_flags = number_at(d, 41, 1);
  const std::uint64_t flags = number_at(d, 42, 1);
  const auto source_reference = [&](std::uint64_t k) {
    return (number_at(d, 48, 4) + ((source_flags & 0x80) != 0 ? 0 : k)) & 0xFFFFFFFF;
  };
  const auto source_application = [&](std::uint64_t k) {
    return (number_at(d, 54, 2) + ((source_flags & 0x10) != 0 ? k : 0)) & 0xFFFF;
  };
  const auto destination_reference = [&](std::uint64_t k) {
    return (number_at(d, 56, 4) + ((destination_flags & 0x80) != 0 ? 0 : k)) & 0xFFFFFFFF;
  };
  const auto destination_application = [&](std::uint64_t k) {
    return (number_at(d, 62, 2) + ((destination_flags & 0x10) != 0 ? k : 0)) & 0xFFFF;
  };

  std::uint64_t k = 0;
  for (; k < reach; ++k) {
    const Bytes bytes = memory_.bytes(from + k * in, in);
    const Bytes data(bytes.begin(), bytes.begin() + block);
    std::uint64_t guard = reference_crc(data, (flags & 4) != 0 ? 0xFFFF : 0, 16, 0x8BB7, false);
    if ((flags & 8) != 0) guard ^= 0xFFFF;
    unsigned errors = 0;
    std::uint64_t old_guard = 0;
    std::uint64_t old_application = 0;
    std::uint64_t old_reference = 0;
    if (protected_source) {
      old_guard = big_endian(bytes, block, 2);
      old_application = big_endian(bytes, block + 2, 2);
      old_reference = big_endian(bytes, block + 4, 4);
      const bool tags_f = old_application == 0xFFFF && old_reference == 0xFFFFFFFF;
      const bool all_f = tags_f && old_guard == 0xFFFF;
      const bool skip = ((source_flags & 2) != 0 && all_f) ||
                        ((source_flags & 4) != 0 && old_application == 0xFFFF) ||
                        ((source_flags & 8) != 0 && tags_f);
      if ((source_flags & 3) == 3 && all_f) {
        errors = 8;
      } else if (!skip) {
        if ((source_flags & 0x20) == 0 && old_guard != guard) errors |= 1;
        const std::uint64_t looked_at = 0xFFFF & ~number_at(d, 52, 2);
        if ((old_application & looked_at) != (source_application(k) & looked_at)) errors |= 2;
        if ((source_flags & 0x40) == 0 && old_reference != source_reference(k)) errors |= 4;
      }
    }
    // MODEL: a block in which an error is found is written all the same.
    Bytes result;
    if (op == 0x13 || op == 0x14 || op == 0x15) result = data;
    if (op == 0x13 || op == 0x15 || op == 0x17) {
      const bool passes = op == 0x15;
      const std::uint64_t new_guard = passes && (destination_flags & 0x20) != 0 ? old_guard : guard;
      const std::uint64_t new_application = passes && (destination_flags & 0x08) != 0
                                                ? old_application
                                                : destination_application(k) & ~number_at(d, 60, 2);
      const std::uint64_t new_reference =
          passes && (destination_flags & 0x40) != 0 ? old_reference : destination_reference(k);
      for (const auto& [value, count] :
           {std::pair{new_guard, 2U}, std::pair{new_application, 2U}, std::pair{new_reference, 4U}}) {
        for (unsigned i = 0; i < count; ++i) {
          result.push_back(static_cast<std::uint8_t>(value >> (8 * (count - 1 - i))));
        }
      }
    }
    memory_.store(to + k * out, result);
    if (errors != 0) {
      record.set_status(DsaStatus::kDifError);
      record.result = static_cast<std::uint8_t>(errors);
      fault = Fault();
      break;
    }
  }
  if (protected_source) {
    put(record, 16, source_reference(k), 4);
    put(record, 20, number_at(d, 52, 2), 2);
    put(record, 22, source_application(k), 2);
  }
  if (op == 0x13 || op == 0x15 || op == 0x17) {
    put(record, 24, destination_reference(k), 4);
    put(record, 28, number_at(d, 60, 2), 2);
    put(record, 30, destination_application(k), 2);
  }
  put_fault(fault, record, config_.version);
  record.bytes_completed = static_cast<std::uint32_t>(k * in);
}

// Translation fetch and cache flush.
void ReferenceDsa::touch(const DsaDescriptor& d, DsaCompletionRecord& record) {
  const bool flush = opcode_of(d) == 0x20;
  Buffer region{number_at(d, flush ? 24 : 16, 8), number_at(d, 32, 4), flush, flush ? 3U : 1U};
  if (!flush && bit(d, 16)) region.stride = number_at(d, 48, 8);
  const Fault fault = first_fault({region}, requests(d));
  put_fault(fault, record, config_.version);
  record.bytes_completed = static_cast<std::uint32_t>(fault.any ? fault.position : region.size);
}

void ReferenceDsa::drain(const DsaDescriptor& d, DsaCompletionRecord& record) {
  for (unsigned i = 0; i < 2; ++i) {
    if (!bit(d, 16 + i)) continue;
    Fault fault = first_fault({{number_at(d, 16 + 8 * i, 8), 1, false, 1 + i}}, requests(d));
    if (!fault.any) continue;
    if (fault.status != DsaStatus::kTranslationError) fault.status = DsaStatus::kDrainReadbackFault;
    return put_fault(fault, record, config_.version);
  }
}

}  // namespace svasim
