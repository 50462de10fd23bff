// A DSA behind an ATC, with memory and a translation agent that do as the test tells them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "models/atc/atc.h"
#include "models/dsa/dsa.h"
#include "timing/atc_agent.h"
#include "tlm/at_checker.h"
#include "tlm/ats_checker.h"

namespace svasim {

inline constexpr Ps kMs = 1000000000;
inline constexpr Ps kUs = 1000000;

struct DsaBench {
  static constexpr unsigned kPasid = 5;
  // What is mapped lies this far above its virtual address.
  static constexpr Addr kOffset = 0x100000000;
  static constexpr Addr kRecords = 0x50000000;

  DsaParams params;
  TransactionPool pool;
  StatRegistry stats;
  SimContext context;
  Dsa dsa;
  Atc atc;
  TestAgent agent;
  AtChecker<PcieProtocol> device_checker{"device_checker"};
  AtChecker<PcieProtocol> register_checker{"register_checker"};
  AtChecker<PcieProtocol> up_checker{"up_checker"};
  AtsChecker ats_checker{"ats_checker"};

  explicit DsaBench(Timing timing = Timing::kApproximate, DsaParams p = dsa_params().defaults(),
                    AtcParams a = atc_params().defaults())
      : params(p),
        context{1, timing, pool, stats},
        dsa("dsa", params, context),
        atc("atc", a, context),
        agent("agent", context) {
    dsa.up_out().bind(device_checker.target);
    device_checker.initiator.bind(atc.up_in());
    atc.up_out().bind(up_checker.target);
    up_checker.initiator.bind(ats_checker.upstream_target);
    ats_checker.upstream_initiator.bind(agent.up);
    agent.down.bind(ats_checker.downstream_target);
    ats_checker.downstream_initiator.bind(atc.down_in());
    atc.down_out().bind(register_checker.target);
    register_checker.initiator.bind(dsa.down_in());
    map(kRecords, 64 * kPageSize);
  }

  void run(Ps time) { sc_core::sc_start(to_sc(time)); }
  void write32(std::uint32_t offset, std::uint64_t value) {
    const auto word = static_cast<std::uint32_t>(value);
    agent.mmio_write(params.bar0 + offset, &word, 4, 1000);
    run(10000);
  }
  void write64(std::uint32_t offset, std::uint64_t value) {
    agent.mmio_write(params.bar0 + offset, &value, 8, 1000);
    run(10000);
  }
  // Runs a command to its end; its error code.
  unsigned command(DsaCommand code, std::uint32_t operand = 0) {
    write32(dsa_reg::kCmd,
            DsaCmd::CODE::make(static_cast<std::uint64_t>(code)) | DsaCmd::OPERAND::make(operand));
    run(100 * kUs);
    const std::uint32_t status = dsa.registers().command_status();
    EXPECT_EQ(DsaCmdstatus::ACTIVE::get(status), 0U) << "command " << static_cast<unsigned>(code);
    return static_cast<unsigned>(DsaCmdstatus::ERROR::get(status));
  }

  std::uint32_t wqcfg(unsigned queue) const {
    return dsa_reg::kWqcfg + queue * DsaWqcfg::stride(DsaRegisters::kWqcfgSize);
  }
  // Queues 0.. with `size` entries, all in group 0 with the first `engines` engines.
  void configure(bool block_on_fault, unsigned engines = 1, unsigned queues = 1, unsigned size = 32) {
    write64(dsa_reg::kGrpcfg, (1U << queues) - 1);
    write64(dsa_reg::kGrpcfg + DsaGrpcfg::kEngineBitmap, (1U << engines) - 1);
    for (unsigned queue = 0; queue < queues; ++queue) {
      write32(wqcfg(queue) + DsaWqcfg::kSize, size);
      write32(wqcfg(queue) + DsaWqcfg::kMode,
              DsaWqcfg::DEDICATED::make(1) | DsaWqcfg::BLOCK_ON_FAULT::make(block_on_fault) |
                  DsaWqcfg::PRIORITY::make(1) | DsaWqcfg::PASID_ENABLE::make(1) |
                  DsaWqcfg::PASID::make(kPasid + queue));
      write32(wqcfg(queue) + DsaWqcfg::kLimits,
              DsaWqcfg::MAX_TRANSFER::make(22) | DsaWqcfg::MAX_BATCH::make(5));
    }
  }
  void enable(unsigned queues = 1) {
    ASSERT_EQ(command(DsaCommand::kEnableDevice), 0U);
    for (unsigned queue = 0; queue < queues; ++queue) ASSERT_EQ(command(DsaCommand::kEnableWq, queue), 0U);
  }
  void set_up(bool block_on_fault = true, unsigned engines = 1, unsigned queues = 1, unsigned size = 32) {
    configure(block_on_fault, engines, queues, size);
    enable(queues);
  }

  // Makes a configured queue a shared one that everybody with a PASID may submit to.
  void share(unsigned queue, unsigned threshold, bool block_on_fault = true) {
    write32(wqcfg(queue) + DsaWqcfg::kThreshold, threshold);
    write32(wqcfg(queue) + DsaWqcfg::kMode, DsaWqcfg::BLOCK_ON_FAULT::make(block_on_fault) |
                                                DsaWqcfg::PRIORITY::make(1) |
                                                DsaWqcfg::PASID_ENABLE::make(1));
  }
  // An event log of so many entries, without PASID, and its interrupt.
  static constexpr Addr kLog = 0x60000000;
  void configure_event_log(unsigned entries = 64) {
    write32(dsa_reg::kGencfg, DsaGencfg::USER_INTERRUPTS::kMask | DsaGencfg::EVENT_LOG::kMask);
    write64(dsa_reg::kEvlcfg, kLog);
    write64(dsa_reg::kEvlcfg + 8, entries);
    write32(dsa_reg::kGenctrl,
            DsaGenctrl::EVENT_LOG_INTERRUPT::kMask | DsaGenctrl::SOFTWARE_ERROR_INTERRUPT::kMask);
    write64(dsa_reg::kMsixTable, 0xFEE00000);
    write32(dsa_reg::kMsixTable + 12, 0);
    map(kLog, entries * sizeof(DsaEvent), true, 0);
  }
  DsaEvent event(unsigned number) {
    return agent.memory.load<DsaEvent>(kLog + number * sizeof(DsaEvent) + kOffset);
  }
  std::uint64_t events() const { return DsaEvlstatus::TAIL::get(dsa.registers().get64(dsa_reg::kEvlstatus)); }

  void map(Addr address, std::uint64_t size, bool write = true, unsigned pasid = kPasid) {
    for (Addr page = address & ~(kPageSize - 1); page < address + size; page += kPageSize) {
      agent.map(pasid, page, page + kOffset, true, write);
    }
  }

  static Addr record_address(unsigned number) { return kRecords + number * 32; }
  static DsaDescriptor descriptor(DsaOpcode opcode, unsigned number, Addr source, Addr destination,
                                  std::uint32_t size, std::uint64_t flags = 0) {
    DsaDescriptor d;
    d.set_operation(opcode, flags | DsaFlags::COMPLETION_ADDRESS_VALID::kMask |
                                DsaFlags::REQUEST_COMPLETION_RECORD::kMask);
    d.completion_address = record_address(number);
    d.source = source;
    d.destination = destination;
    d.transfer_size = size;
    return d;
  }
  void submit(const DsaDescriptor& d, unsigned queue = 0, Ps delay = 1000) {
    agent.mmio_write(params.bar2 + dsa_portal_offset(queue, DsaPortal::kLimited), &d, sizeof d, delay);
  }
  // ENQCMDS: PASID and privilege stand in the descriptor, ENQCMD would put them there.
  void enqueue(DsaDescriptor d, unsigned pasid = kPasid, unsigned queue = 0, Ps delay = 1000,
               DsaPortal portal = DsaPortal::kLimited, bool privileged = false) {
    d.set_pasid(Pasid(pasid), privileged);
    agent.mmio_write_deferrable(params.bar2 + dsa_portal_offset(queue, portal), &d, sizeof d, delay);
  }
  DsaCompletionRecord record(unsigned number) {
    return agent.memory.load<DsaCompletionRecord>(record_address(number) + kOffset);
  }
  DsaStatus status(unsigned number) { return record(number).code(); }

  void expect_clean() {
    for (ProtocolChecker* checker : std::initializer_list<ProtocolChecker*>{
             &device_checker, &register_checker, &up_checker, &ats_checker}) {
      checker->finish();
      EXPECT_EQ(checker->violations().count(), 0U) << checker->violations();
    }
    EXPECT_EQ(dsa.in_flight(), 0U);
    EXPECT_EQ(atc.in_flight(), 0U);
    EXPECT_EQ(pool.live(), 0U);
    EXPECT_EQ(dsa.stats().submitted.value, dsa.stats().completed.value);
    // The parts of all accesses sum to their total.
    std::uint64_t parts = 0;
    for (const Counter& part : dsa.stats().attribution) parts += part.value;
    EXPECT_EQ(parts, dsa.stats().access_latency.sum());
  }
};

}  // namespace svasim
