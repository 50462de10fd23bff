// What makes work, as components of a configuration: devices and the host.
#pragma once

#include <filesystem>

#include "base/utf8.h"
#include "models/dsa/dsa.h"
#include "models/host/accel_config.h"
#include "models/host/host.h"
#include "models/traffic/linux_replay.h"
#include "models/traffic/replay_future.h"
#include "models/traffic/traffic.h"
#include "sim/fabric_components.h"
#include "sim/host_needs.h"
#include "sim/paths.h"
#include "sim/replay_checks.h"

namespace svasim {

// A path in a file counts from that file.
inline std::string path_from(const ConfigNode* given, const std::filesystem::path& path) {
  if (path.is_absolute() || given == nullptr || given->where().file == "--set") return path.string();
  return (std::filesystem::path(given->where().file).parent_path() / path).lexically_normal().string();
}

// ---- traffic

inline void add_access_checks(const std::string& name, const AccessStats& stats, RunChecks& checks) {
  std::uint64_t parts = 0;
  for (const Counter& stage : stats.stage) parts += stage.value;
  checks.equal(name + ".attribution_sums_to_latency_ps", parts, stats.latency.sum());
  checks.none(name + ".wrong_data", stats.wrong_data.value);
}

// For a device without registers.
inline void bind_no_registers(Binder& binder, const std::string& device, DevicePort& port) {
  auto& idle = binder.own<IdleInitiator<>>(sc_core::sc_module_name((device + "_no_registers").c_str()));
  idle.socket.bind(port.mmio(binder));
}

class TrafficComponent : public ModelComponent<TrafficParams, traffic_params, TrafficGenerator> {
 public:
  using ModelComponent::ModelComponent;
  std::optional<RequesterId> requester() const override { return params().bdf; }
  void construct(const std::string& name, SimContext& context, const SocketPlan&) override {
    make(name, params(), context);
  }
  void bind(Binder& binder) override {
    auto& port = binder.port<DevicePort>(params().link);
    port.attach(binder, name(), model().req(), model().msg(), {});
    port.add_requester(binder, params().bdf);
    bind_no_registers(binder, name(), port);
  }
  std::optional<Progress> progress() const override { return Progress{done(), params().count}; }
  Ps finished_at() const override { return model().finished_at(); }
  void add_checks(const std::string& name, RunChecks& checks) const override {
    add_access_checks(name, model().stats(), checks);
    if (model().done()) checks.equal(name + ".accesses_completed", done(), params().count);
  }

 private:
  std::uint64_t done() const { return model().stats().reads.value + model().stats().writes.value; }
};

// ---- dsa

struct DsaWiring {
  DsaParams model;
  std::string port;
  std::string bus;
};

inline const ParamTable<DsaWiring>& dsa_wiring() {
  static const ParamTable<DsaWiring> table =
      ParamTable<DsaWiring>(dsa_params().set().summary())
          .include(&DsaWiring::model, dsa_params())
          .ref("port", &DsaWiring::port, "device_port", Ref::kRequired,
               "The ATC, or link, its requests go to.")
          .ref("bus", &DsaWiring::bus, "bus", Ref::kRequired, "The bus its registers are reached from.");
  return table;
}

class DsaComponent : public ModelComponent<DsaWiring, dsa_wiring, Dsa>, public DsaPort {
 public:
  using ModelComponent::ModelComponent;
  std::optional<RequesterId> requester() const override { return params().model.bdf; }
  std::vector<AddressRange> ranges() const override {
    return {{params().bus, params().model.bar0, kBar0Size},
            {params().bus, params().model.bar2, params().model.queues * kPortalsPerQueue}};
  }
  std::vector<Claim> claims() const override { return {register_claim()}; }
  void construct(const std::string& name, SimContext& context, const SocketPlan&) override {
    make(name, params().model, context);
  }
  void bind(Binder& binder) override {
    auto& port = binder.port<DevicePort>(params().port);
    if (!port.has_atc()) model().disable_ats();
    port.attach(binder, name(), model().up_out(), model().down_in(), {});
    port.add_requester(binder, params().model.bdf);
    connect_from_bus(binder, name(), port.mmio(binder), register_claim(), ranges());
  }
  std::string iommu(Binder& binder) const override {
    return binder.port<DevicePort>(params().port).iommu(binder);
  }
  Platform::Dsa describe(Binder& binder, const std::vector<std::string>& iommus) const override {
    const auto place = std::find(iommus.begin(), iommus.end(), iommu(binder));
    return {name(),
            params().model.bdf,
            params().model.bar0,
            params().model.bar2,
            static_cast<unsigned>(place - iommus.begin()),
            ats(binder),
            page_requests(binder)};
  }
  const std::string& bus() const override { return params().bus; }
  const DsaParams& capabilities() const override { return params().model; }
  bool ats(Binder& binder) const override {
    return params().model.ats && binder.port<DevicePort>(params().port).has_atc();
  }
  bool page_requests(Binder& binder) const override { return ats(binder) && params().model.page_requests; }
  void add_checks(const std::string& name, RunChecks& checks) const override {
    const DsaStats& stats = model().stats();
    std::uint64_t parts = 0;
    for (const Counter& stage : stats.attribution) parts += stage.value;
    checks.equal(name + ".attribution_sums_to_latency_ps", parts, stats.access_latency.sum());
    checks.equal(name + ".descriptors_completed_or_in_flight", stats.completed.value, stats.submitted.value);
  }

 private:
  // SPEC: [DSA 9.1.1]
  static constexpr std::uint64_t kBar0Size = 0x10000;
  static constexpr std::uint64_t kPortalsPerQueue = 0x4000;
  Claim register_claim() const { return {params().bus, "target", "registers"}; }
};

// ---- host

// Notes when an event first happened.
class DoneWatch : public sc_core::sc_module {
 public:
  DoneWatch(const sc_core::sc_module_name& name, const sc_core::sc_event& event) : sc_core::sc_module(name) {
    SC_HAS_PROCESS(DoneWatch);
    SC_METHOD(note);
    sensitive << event;
    dont_initialize();
  }
  Ps time() const { return time_; }

 private:
  void note() { time_ = now_ps(); }
  Ps time_ = 0;
};

class HostComponent : public ModelComponent<HostParams, host_params, Host> {
 public:
  HostComponent(const ConfigNode& node, Problems& problems) : ModelComponent(node, problems) {
    load_accel(node, problems);
    const ConfigNode* processes = node.find("processes");
    if (processes == nullptr || processes->items().size() != params().processes.size()) return;
    for (std::size_t i = 0; i < processes->items().size(); ++i) {
      const ConfigNode& process = processes->items()[i];
      ProcessParams& loaded = mutable_params().processes[i];
      place_steps(process.find("steps"), loaded.steps);
      const ConfigNode* threads = process.find("threads");
      if (threads == nullptr || threads->items().size() != loaded.threads.size()) continue;
      for (std::size_t j = 0; j < threads->items().size(); ++j) {
        place_steps(threads->items()[j].find("steps"), loaded.threads[j].steps);
      }
    }
  }
  std::vector<AddressRange> ranges() const override {
    return {{params().bus, kInterruptBase, kInterruptSize}};
  }
  std::vector<MemoryNeed> memory_used() const override {
    std::vector<MemoryNeed> needs = {
        {{params().bus, params().memory_base, params().memory_size}, "memory_size"}};
    for (const NodeParams& node : params().nodes) {
      needs.push_back({{params().bus, node.base, node.size}, "nodes", "for a memory node"});
    }
    for (const ProcessParams& process : params().processes) {
      for (const BufferParams& buffer : process.buffers) {
        if (buffer.kind != "device") continue;
        needs.push_back({{params().bus, buffer.physical, buffer.size},
                         "processes",
                         "for the device memory of " + process.name + "." + buffer.name});
      }
    }
    return needs;
  }
  std::vector<StatisticUse> statistics_used() const override { return statistics_; }
  std::vector<std::string> input_files() const override {
    return accel_path_.empty() ? std::vector<std::string>{} : std::vector<std::string>{accel_path_};
  }
  nlohmann::json runnable() const override {
    nlohmann::json json = resolved();
    if (!accel_path_.empty()) json["dsa"]["accel_config"] = absolute_path(accel_path_);
    return json;
  }
  void check_together(const std::string& name, Binder& binder, Contradictions& bad) const override {
    check_host(name, params(), binder, bad);
  }
  std::vector<Claim> claims() const override { return {memory_claim(), interrupt_claim()}; }
  void construct(const std::string& name, SimContext& context, const SocketPlan&) override {
    make(name, params(), context);
    watch_ =
        std::make_unique<DoneWatch>(sc_core::sc_module_name((name + "_done").c_str()), model().done_event());
  }
  void bind(Binder& binder) override {
    connect_to_bus(binder, name(), model().memory_socket(), memory_claim());
    connect_from_bus(binder, name(), model().interrupts(), interrupt_claim(), ranges());
  }
  PageLife page_life() const override {
    return [this](Addr page) { return model().page_life(page); };
  }
  void start(Binder& binder) override {
    Platform platform;
    for (const std::string& iommu : params().iommus) {
      platform.iommus.push_back({iommu, binder.port<RootPort>(iommu).registers()});
    }
    for (const std::string& device : params().devices) {
      platform.devices.push_back(binder.port<DsaPort>(device).describe(binder, params().iommus));
    }
    model().start(platform);
  }
  // One more than the work itself: the end of everything around it.
  std::optional<Progress> progress() const override {
    return Progress{model().work_done() + (model().done() ? 1 : 0), model().work_total() + 1,
                    model().asleep_until()};
  }
  Ps finished_at() const override { return watch_->time(); }
  std::vector<std::string> notes() const override {
    std::vector<std::string> lines;
    if (params().processes.empty()) lines.emplace_back("there are no processes, so nothing uses the devices");
    for (const std::string& line : model().log()) lines.push_back(line);
    return lines;
  }
  void add_checks(const std::string& name, RunChecks& checks) const override {
    for (const HostCheck& check : model().checks()) {
      // Counts are written as such.
      const auto whole = static_cast<std::int64_t>(check.figure);
      const bool is_whole = static_cast<double>(whole) == check.figure;
      checks.add(name + "." + check.name, check.ok,
                 is_whole ? nlohmann::json(whole) : nlohmann::json(check.figure), check.expected);
    }
  }

 private:
  void load_accel(const ConfigNode& node, Problems& problems) {
    if (params().dsa.accel_config.empty()) return;
    const ConfigNode* dsa = node.find("dsa");
    const ConfigNode* given = dsa == nullptr ? nullptr : dsa->find("accel_config");
    accel_path_ = path_from(given, params().dsa.accel_config);
    mutable_params().dsa.accel =
        std::make_shared<const AccelConfig>(load_accel_config(accel_path_, problems));
    record(nlohmann::json::json_pointer("/dsa/accel_config"), file_name_of(accel_path_));
  }
  // Where steps were written, and what they look up.
  void place_steps(const ConfigNode* node, std::vector<StepParams>& steps) {
    if (node == nullptr || node->items().size() != steps.size()) return;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const ConfigNode& entry = node->items()[i];
      steps[i].where = std::filesystem::path(entry.where().file).filename().string() + ":" +
                       std::to_string(entry.where().line);
      if (steps[i].action == "expect" && !steps[i].statistic.empty()) {
        statistics_.push_back({steps[i].statistic, steps[i].field, entry, true});
      }
    }
  }
  // SPEC: [VTD 3.14] Where interrupt messages go.
  static constexpr Addr kInterruptBase = 0xFEE00000;
  static constexpr std::uint64_t kInterruptSize = 0x100000;
  Claim memory_claim() const { return {params().bus, "initiator", "memory"}; }
  Claim interrupt_claim() const { return {params().bus, "target", "interrupts"}; }
  std::string accel_path_;
  std::unique_ptr<DoneWatch> watch_;
  std::vector<StatisticUse> statistics_;
};

// ---- linux_replay

struct ReplayWiring {
  LinuxReplayParams model;
  std::string bus;
};

inline const ParamTable<ReplayWiring>& replay_wiring() {
  static const ParamTable<ReplayWiring> table =
      ParamTable<ReplayWiring>(linux_replay_params().set().summary())
          .include(&ReplayWiring::model, linux_replay_params())
          .ref("bus", &ReplayWiring::bus, "bus", Ref::kRequired, "The bus its CPU is on.");
  return table;
}

class ReplayComponent : public ModelComponent<ReplayWiring, replay_wiring, LinuxReplay>, public FuturePort {
 public:
  ReplayComponent(const ConfigNode& node, Problems& problems)
      : ModelComponent(node, problems), path_(path_of(node)) {
    if (!is_utf8(path_)) {
      const ConfigNode* given = node.find("dataset");
      problems.add(given != nullptr ? *given : node, "the name '" + printable_utf8(path_) + "' is not UTF-8");
    }
    record("dataset", file_name_of(path_));
  }

  std::vector<std::string> input_files() const override { return {path_}; }
  // Holes below are the capture's own business.
  std::vector<MemoryNeed> memory_used() const override {
    if (input_ == nullptr) return {};
    const ReplaySession::MemoryUse use = input_->session.memory_use();
    const std::string why = "its highest address is at " + input_->session.physical_end_at();
    std::vector<MemoryNeed> needs = {{{params().bus, use.tables, use.end - use.tables}, "", why}};
    if (use.touched != 0) needs.push_back({{params().bus, use.touched - 1, 1}, "", why});
    return needs;
  }
  nlohmann::json runnable() const override {
    nlohmann::json json = resolved();
    if (!path_.empty()) json["dataset"] = absolute_path(path_);
    return json;
  }
  void check_together(const std::string& name, Binder& binder, Contradictions& bad) const override {
    const std::string iommu = binder.port<DevicePort>(params().model.link).iommu(binder);
    const RootPort& root = binder.port<RootPort>(iommu);
    if (root.registers() != params().model.registers) {
      bad.add({{name, "registers"}, {iommu, "register_base"}},
              "is not the register_base of '" + iommu + "', at which the link ends");
    }
    if (root.bus() != params().bus) {
      bad.add({{name, "bus"}, {iommu, "bus"}}, "'" + name + "' is on '" + params().bus + "', but '" + iommu +
                                                   "' is on '" + root.bus() +
                                                   "': it reaches neither its registers nor its tables");
    }
  }
  std::vector<Claim> claims() const override { return {memory_claim()}; }
  void read_inputs() override {
    input_ = std::make_unique<LinuxReplayInput>(path_);
    images_ = check_images(input_->dataset);
  }
  void construct(const std::string& name, SimContext& context, const SocketPlan&) override {
    if (input_ == nullptr) read_inputs();
    make(name, params().model, *input_, context);
  }
  // There is no model without a capture.
  void list_statistics(const std::string& name, SimContext& context, const SocketPlan&) override {
    listed_.describe(context.stats, name);
    listed_report_.describe(context.stats, name + ".capture");
  }
  void bind(Binder& binder) override {
    auto& port = binder.port<DevicePort>(params().model.link);
    port.attach(binder, name(), model().req(), model().msg(), {});
    for (const RequesterId requester : input_->session.requesters()) port.add_requester(binder, requester);
    bind_no_registers(binder, name(), port);
    connect_to_bus(binder, name(), model().memory(), memory_claim());
    auto& root = binder.port<RootPort>(port.iommu(binder));
    if (root.wants_future()) {
      future_ = std::make_unique<ReplayFuture>(input_->dataset, input_->session, params().model.probes,
                                               root.future_by_requester());
      root.iommu().set_future(*future_);
    }
  }
  std::string iommu_used(Binder& binder) const override {
    return binder.port<DevicePort>(params().model.link).iommu(binder);
  }
  std::string unknown_order() const override {
    return params().model.window == 1 ? "" : "its window is " + std::to_string(params().model.window);
  }
  // One more than the records: the end of everything behind the last one.
  std::optional<Progress> progress() const override {
    return Progress{model().records() + (model().done() ? 1 : 0), input_->session.records() + 1};
  }
  Ps finished_at() const override { return model().finished_at(); }
  std::vector<std::string> notes() const override {
    const ReplayReport& report = model().report();
    std::vector<std::string> lines = report.notes;
    lines.insert(lines.end(), report.texts.begin(), report.texts.end());
    return lines;
  }
  void add_checks(const std::string& name, RunChecks& checks) const override {
    const ReplayReport& report = model().report();
    add_access_checks(name, model().stats(), checks);
    add_replay_checks(name, report, images_, checks);
    checks.none(name + ".memory_errors", model().memory_errors());
    checks.none(name + ".queue_errors", model().queue_errors());
  }

 private:
  std::string path_of(const ConfigNode& node) const {
    return path_from(node.find("dataset"), params().model.dataset);
  }
  Claim memory_claim() const { return {params().bus, "initiator", "memory"}; }

  std::string path_;
  std::unique_ptr<LinuxReplayInput> input_;
  std::unique_ptr<ReplayFuture> future_;
  ImageCheck images_;
  LinuxReplayStats listed_;
  ReplayReport listed_report_;
};

}  // namespace svasim
