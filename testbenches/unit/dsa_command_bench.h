// Registers and commands of a DSA without the rest of it.
#pragma once

#include <algorithm>
#include <vector>

#include "models/dsa/dsa_commands.h"

namespace svasim {

// A device without engines: what is pending is what the test says.
class DsaCommandBench : public DsaCommandTarget {
 public:
  explicit DsaCommandBench(const DsaParams& p = dsa_params().defaults())
      : params(p), registers(params), commands(params, registers, *this) {}

  std::uint64_t next_submission() const override { return submissions; }
  bool idle(const DsaScope& scope) const override {
    return std::none_of(submitted.begin(), submitted.end(),
                        [&](const DsaSubmission& one) { return scope.covers(one); });
  }
  void discard(const DsaScope& scope) override {
    submitted.erase(std::remove_if(submitted.begin(), submitted.end(),
                                   [&](const DsaSubmission& one) { return scope.covers(one); }),
                    submitted.end());
  }
  void device_enabled() override {}
  void queue_enabled(unsigned queue) override { enabled.push_back(queue); }

  void submit(unsigned queue, unsigned pasid = 0) {
    DsaSubmission one;
    one.queue = queue;
    one.number = submissions++;
    one.has_pasid = pasid != 0;
    one.pasid = Pasid(pasid);
    submitted.push_back(one);
  }
  void write32(std::uint32_t offset, std::uint64_t value) {
    const auto word = static_cast<std::uint32_t>(value);
    if (registers.write(offset, &word, 4)) commands.begin();
  }
  void write64(std::uint32_t offset, std::uint64_t value) { registers.write(offset, &value, 8); }
  void order(DsaCommand code, std::uint32_t operand = 0) {
    write32(dsa_reg::kCmd,
            DsaCmd::CODE::make(static_cast<std::uint64_t>(code)) | DsaCmd::OPERAND::make(operand));
  }
  // Gives the command and executes it; its error code, or -1 while it waits.
  int run(DsaCommand code, std::uint32_t operand = 0) {
    order(code, operand);
    return commands.execute() ? error() : -1;
  }
  unsigned result() const {
    return static_cast<unsigned>(DsaCmdstatus::RESULT::get(registers.command_status()));
  }
  int error() const { return static_cast<int>(DsaCmdstatus::ERROR::get(registers.command_status())); }
  std::uint32_t wqcfg(unsigned queue, std::uint32_t word) const {
    return dsa_reg::kWqcfg + queue * DsaWqcfg::stride(DsaRegisters::kWqcfgSize) + word;
  }
  void group(unsigned number, std::uint64_t queues, std::uint64_t engines) {
    write64(dsa_reg::kGrpcfg + number * DsaGrpcfg::kStride, queues);
    write64(dsa_reg::kGrpcfg + number * DsaGrpcfg::kStride + DsaGrpcfg::kEngineBitmap, engines);
  }
  void mode(unsigned queue, std::uint64_t more = 0) {
    write32(wqcfg(queue, DsaWqcfg::kMode), DsaWqcfg::DEDICATED::make(1) | DsaWqcfg::PRIORITY::make(5) | more);
    write32(wqcfg(queue, DsaWqcfg::kLimits), DsaWqcfg::MAX_TRANSFER::make(21));
  }
  // Queue 0 with 16 entries in group 0 with engine 0.
  void configure() {
    write32(wqcfg(0, DsaWqcfg::kSize), 16);
    group(0, 1, 1);
    mode(0);
  }

  DsaParams params;
  DsaRegisters registers;
  DsaCommands commands;
  std::vector<DsaSubmission> submitted;
  std::uint64_t submissions = 0;
  std::vector<unsigned> enabled;
};

}  // namespace svasim
