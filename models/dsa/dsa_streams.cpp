// The bytes of a descriptor in a DSA: read, given to its operation, written.
#include <algorithm>
#include <cstring>

#include "models/dsa/dsa.h"

namespace svasim {

std::uint32_t Dsa::new_chunk(std::uint32_t task, const DsaProgress::Chunk& range) {
  if (free_chunks_.empty()) {
    free_chunks_.push_back(static_cast<std::uint32_t>(chunks_.size()));
    chunks_.emplace_back();
    chunks_.back().data.resize(std::size_t{2} * params_.access_size);
  }
  const std::uint32_t index = free_chunks_.back();
  free_chunks_.pop_back();
  Chunk& chunk = chunks_[index];
  chunk.range = range;
  chunk.task = task;
  chunk.missing = range.reads;
  chunk.writes = 0;
  chunk.next = kNone;
  return index;
}

void Dsa::drop_chunk(std::uint32_t chunk) { free_chunks_.push_back(chunk); }

// Whose translation the access uses.
void Dsa::place(std::uint32_t number, unsigned operand) {
  Flight& flight = flights_[number];
  flight.operand = operand;
  PcieExtension& pcie = flight.transaction->pcie;
  pcie.field = field_of(tasks_[flight.task], operand);
  pcie.holder = holder(flight.task, operand, flight.transaction->get_address());
}

// The engine could go on with this task but for the translation of the next page.
void Dsa::note_wait(Task& task) {
  if (task.blocked_since == kNever) {
    task.blocked_since = now_ps();
    task.wait.start(now_ps());
    stats_.page_waits.add();
  }
}

// The access takes over what its task waited for the page.
void Dsa::take_wait(Task& task, std::uint32_t flight, Ps when) {
  if (task.blocked_since == kNever) {
    return;
  }
  task.blocked_since = kNever;
  Attribution& attribution = flights_[flight].transaction->pcie.attribution;
  attribution = task.wait;
  attribution.charge(Stage::kDevice, when);
}

// Reads what comes next, as far as there are buffers. What only writes goes through at once.
void Dsa::start_chunks(std::uint32_t index) {
  Task& task = tasks_[index];
  Engine& engine = engines_[engine_of(index)];
  GroupState& group = groups_[engine.group];
  const bool reads = task.progress.reads();
  while (!task.progress.at_end()) {
    // WHY: a list read further than that would hold the read buffers its own descriptors need.
    if (task.operation->opcode == DsaOpcode::kBatch &&
        task.progress.position() / sizeof(DsaDescriptor) >= task.run.next_member + DsaRun::kListAhead) {
      return;
    }
    const unsigned largest = units_of(params_.access_size) * task.progress.buffers();
    if (reads ? read_units_ < largest || group.read_units < largest : write_units_ < largest) {
      starve(index, reads ? largest : kNoUnits, reads ? kNoUnits : largest);
      return;
    }
    DsaProgress::Chunk range;
    if (!task.progress.next(params_.access_size, range)) {
      note_wait(task);
      return;
    }
    ask_pages(index);
    if (range.reads + range.writes == 0) {
      continue;  // only its translation mattered
    }
    const unsigned units = units_of(range.length);
    read_units_ -= units * range.reads;
    group.read_units -= units * range.reads;
    const std::uint32_t chunk = new_chunk(index, range);
    (task.last == kNone ? task.first : chunks_[task.last].next) = chunk;
    task.last = chunk;
    unsigned char* data = chunks_[chunk].data.data();
    for (unsigned i = 0; i < task.progress.operands(); ++i) {
      const bool read = task.progress.operand(i).reads();
      if (read && range.used[i]) {
        const Ps when = next_slot(engine, range.length);
        const std::uint32_t flight =
            new_flight(Use::kRead, index, tlm::TLM_READ_COMMAND, range.address[i], data, range.length, when);
        flights_[flight].chunk = chunk;
        place(flight, i);
        flights_[flight].position = range.position;
        take_wait(task, flight, when);
        send(flight, when);
      }
      if (read) data += params_.access_size;
    }
    if (!reads) {
      finish_chunks(index);
    }
  }
}

// Gives what has been read to the operation and writes what it makes. Writes leave in order, so that
// what a fault leaves is exactly the bytes before it.
void Dsa::finish_chunks(std::uint32_t index) {
  Task& task = tasks_[index];
  Engine& engine = engines_[engine_of(index)];
  while (task.first != kNone && chunks_[task.first].missing == 0) {
    const std::uint32_t chunk = task.first;
    const DsaProgress::Chunk& range = chunks_[chunk].range;
    const unsigned units = units_of(range.length);
    const bool wanted = range.position < task.progress.limit();
    if (wanted && (write_units_ < units * range.writes || task.run.backlog())) {
      if (!task.run.backlog()) starve(index, kNoUnits, units * range.writes);
      return;
    }
    task.first = chunks_[chunk].next;
    if (task.first == kNone) {
      task.last = kNone;
    }
    read_units_ += units * range.reads;
    groups_[engine.group].read_units += units * range.reads;
    freed_units();
    if (!wanted || !write_chunk(index, chunk)) {
      drop_chunk(chunk);
    }
  }
}

// One chunk through the operation; false when it leaves nothing to write.
bool Dsa::write_chunk(std::uint32_t index, std::uint32_t number) {
  Task& task = tasks_[index];
  Chunk& chunk = chunks_[number];
  unsigned char* data = chunk.data.data();
  if (task.operation->step != nullptr) {
    chunk.before = task.run.crc;
    task.operation->step(
        task.submission.descriptor, task.run,
        {chunk.range.position, chunk.range.length, {data, data + params_.access_size}, data});
    if (task.run.stopped) {
      task.progress.stop(task.run.stop_position, task.run.stop_status);
    }
  }
  if (chunk.range.writes == 0) {
    return false;
  }
  chunk.writes = chunk.range.writes;
  write_units_ -= units_of(chunk.range.length) * chunk.range.writes;
  for (unsigned i = 0; i < task.progress.operands(); ++i) {
    if (!chunk.range.used[i] || !task.progress.operand(i).writes()) continue;
    const Ps when = next_slot(engines_[engine_of(index)], chunk.range.length);
    const std::uint32_t flight = new_flight(Use::kWrite, index, tlm::TLM_WRITE_COMMAND,
                                            chunk.range.address[i], data, chunk.range.length, when);
    flights_[flight].chunk = number;
    place(flight, i);
    flights_[flight].position = chunk.range.position;
    if (chunk.range.reads == 0) take_wait(task, flight, when);
    ++task.unposted;
    send(flight, when);
  }
  return true;
}

// The pages of an emitted piece may be written; otherwise asks for them, in order.
bool Dsa::emit_page_ready(std::uint32_t index, const DsaEmit& piece) {
  Task& task = tasks_[index];
  const auto number = static_cast<unsigned>(task.progress.emits_to());
  DsaOperand& operand = task.progress.operand(number);
  const std::uint64_t last = operand.page_at(piece.offset + piece.length - 1);
  operand.skip_to(operand.page_at(piece.offset));
  while (operand.asked() <= last) {
    const std::uint64_t page = operand.ask();
    Flight& flight = ask_page(index, Use::kPage, number, operand.page_address(page), operand.write(),
                              task.block_on_fault, 0);
    flight.operand = number;
    flight.page = page;
    flight.position = piece.position;
    flight.offset = std::max(piece.offset, operand.start_of(page));
  }
  return operand.confirmed() >= piece.offset + piece.length;
}

// Writes bytes whose place follows from the data, gathered into accesses.
void Dsa::emit(std::uint32_t index) {
  Task& task = tasks_[index];
  DsaRun& run = task.run;
  const DsaOperand& operand = task.progress.operand(static_cast<unsigned>(task.progress.emits_to()));
  while (run.next_emit < run.emits.size()) {
    const DsaEmit& piece = run.emits[run.next_emit];
    if (piece.position >= task.progress.limit()) {
      run.next_emit = run.emits.size();
      break;
    }
    if (!emit_page_ready(index, piece)) {
      note_wait(task);
      close(index);
      break;
    }
    // WHY before the first part: a piece is written wholly or not at all.
    const unsigned first = static_cast<unsigned>(
        std::min<std::uint64_t>(piece.length, operand.room(piece.offset, params_.access_size)));
    if (write_units_ < 2 * units_of(params_.access_size)) {
      starve(index, kNoUnits, 2 * units_of(params_.access_size));
      close(index);
      break;
    }
    append(index, operand.address_at(piece.offset), piece.data.data(), first, piece);
    if (first < piece.length) {
      append(index, operand.address_at(piece.offset + first), piece.data.data() + first, piece.length - first,
             piece);
    }
    run.written += piece.length;
    ++run.next_emit;
    mark(index);  // there is room for more
  }
  if (run.next_emit == run.emits.size()) {
    run.emits.clear();
    run.next_emit = 0;
  }
  // WHY when somebody lacks buffers: those of the open chunk may be the last ones.
  if ((task.progress.at_end() && task.first == kNone && run.emits.empty()) || starving_ != 0) close(index);
}

void Dsa::append(std::uint32_t index, Addr address, const unsigned char* data, unsigned length,
                 const DsaEmit& piece) {
  Task& task = tasks_[index];
  const auto operand = static_cast<unsigned>(task.progress.emits_to());
  if (task.open != kNone) {
    const DsaProgress::Chunk& range = chunks_[task.open].range;
    const Addr end = range.address[operand] + range.length;
    if (end != address || end % params_.access_size == 0) close(index);
  }
  if (task.open == kNone) {
    DsaProgress::Chunk range;
    range.position = piece.position;
    range.writes = 1;
    range.used[operand] = true;
    range.address[operand] = address;
    task.open = new_chunk(index, range);
    chunks_[task.open].before = task.run.written;
    write_units_ -= units_of(params_.access_size);
  }
  Chunk& chunk = chunks_[task.open];
  std::memcpy(chunk.data.data() + chunk.range.length, data, length);
  chunk.range.length += length;
}

// The open chunk leaves.
void Dsa::close(std::uint32_t index) {
  Task& task = tasks_[index];
  if (task.open == kNone) {
    return;
  }
  Chunk& chunk = chunks_[task.open];
  const auto operand = static_cast<unsigned>(task.progress.emits_to());
  write_units_ += units_of(params_.access_size) - units_of(chunk.range.length);
  const Ps when = next_slot(engines_[engine_of(index)], chunk.range.length);
  const std::uint32_t flight =
      new_flight(Use::kWrite, index, tlm::TLM_WRITE_COMMAND, chunk.range.address[operand], chunk.data.data(),
                 chunk.range.length, when);
  flights_[flight].chunk = task.open;
  place(flight, operand);
  flights_[flight].position = chunk.range.position;
  chunk.writes = 1;
  task.open = kNone;
  take_wait(task, flight, when);
  ++task.unposted;
  send(flight, when);
}

}  // namespace svasim
