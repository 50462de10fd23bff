#include "models/rtl/rtl_walker_core.h"

#include <Vsvasim_walker.h>
#include <verilated.h>
#include <verilated_fst_c.h>

#include "base/check.h"

namespace svasim {

namespace {

// Verilator looks up the current thread's context where a model is built or destroyed; outside, the
// default one stays current, as ours may be gone when another model reports an error.
class ContextScope {
 public:
  explicit ContextScope(VerilatedContext& context) { Verilated::threadContextp(&context); }
  ~ContextScope() { Verilated::threadContextp(Verilated::defaultContextp()); }
  ContextScope(const ContextScope&) = delete;
  ContextScope& operator=(const ContextScope&) = delete;
};

}  // namespace

struct RtlWalkerCore::Model {
  explicit Model(const Options& options) {
    const ContextScope scope(context);
    // WHY: else every context starts a pool of threads, as many as the machine has processors.
    context.threads(1);
    context.randReset(options.start_value_seed == 0 ? 0 : 2);
    context.randSeed(static_cast<int>(options.start_value_seed));
    context.traceEverOn(!options.waves.empty());
    pins = std::make_unique<Vsvasim_walker>(&context, "walker");
    if (!options.waves.empty()) {
      waves = std::make_unique<VerilatedFstC>();
      pins->trace(waves.get(), 99);
      waves->open(options.waves.c_str());
      SVASIM_CHECK(waves->isOpen(), "cannot write " + options.waves);
    }
  }
  ~Model() {
    const ContextScope scope(context);
    pins->final();
    if (waves) waves->close();
    waves.reset();
    pins.reset();
  }

  // The low half of a cycle: inputs reach the outputs.
  void low() {
    pins->clk_i = 0;
    pins->eval();
  }
  void high(Ps time) {
    pins->clk_i = 1;
    pins->eval();
    if (waves) dump(time);
  }
  void dump(Ps time) {
    if (time <= dumped) return;
    waves->dump(time);
    dumped = time;
  }

  VerilatedContext context;
  std::unique_ptr<Vsvasim_walker> pins;
  std::unique_ptr<VerilatedFstC> waves;
  Ps dumped = 0;
};

RtlWalkerCore::RtlWalkerCore(const Options& options) : model_(std::make_unique<Model>(options)) {
  // SystemC runs at 1 ps; a model with another precision would count time differently.
  SVASIM_CHECK(model_->context.timeprecision() == -12, "the Verilated model must have 1 ps precision");
  Vsvasim_walker& pins = *model_->pins;
  pins.rst_ni = 0;
  pins.req_valid_i = 0;
  pins.mem_rsp_valid_i = 0;
  pins.upd_rsp_valid_i = 0;
  set_ready(true, true, true);
  model_->low();
  model_->high(0);
  model_->low();
  pins.rst_ni = 1;
}

RtlWalkerCore::~RtlWalkerCore() = default;

void RtlWalkerCore::set_ready(bool read, bool update, bool result) {
  Vsvasim_walker& pins = *model_->pins;
  pins.mem_ready_i = read;
  pins.upd_ready_i = update;
  pins.rsp_ready_i = result;
}

void RtlWalkerCore::start(const RtlWalkRequest& request) {
  Vsvasim_walker& pins = *model_->pins;
  SVASIM_CHECK(!pins.req_valid_i, "the walker has a request waiting already");
  pins.req_valid_i = 1;
  pins.req_level_i = request.level;
  pins.req_table_i = request.table;
  pins.req_upper_write_i = request.upper_write;
  pins.req_upper_user_i = request.upper_user;
  pins.req_iova_i = request.iova;
  pins.req_write_i = request.is_write;
  pins.req_user_i = request.user;
  pins.req_wpe_i = request.write_protect;
  pins.req_need_access_i = request.need_access;
  pins.req_update_ad_i = request.update_ad;
  pins.req_eafe_i = request.extended_access;
  pins.req_snooped_i = request.snooped;
  pins.req_fs1gp_i = request.one_gib_pages;
  pins.req_haw_i = request.host_address_width;
  busy_ = true;
}

RtlWalkerCore::Event RtlWalkerCore::clock(Ps time) {
  Vsvasim_walker& pins = *model_->pins;
  model_->low();

  Event event = Event::kNone;
  const bool taken = pins.req_valid_i && pins.req_ready_o;
  if (pins.step_valid_o) {
    RtlWalkResult::Step& step = result_.step[result_.steps++];
    step.table = pins.step_table_o;
    step.level = pins.step_level_o;
    step.write = pins.step_write_o;
    step.user = pins.step_user_o;
  } else if (pins.mem_valid_o && pins.mem_ready_i) {
    event = Event::kRead;
    address_ = pins.mem_addr_o;
    waits_for_read_ = true;
  } else if (pins.upd_valid_o && pins.upd_ready_i) {
    event = Event::kUpdate;
    update_ = Update{pins.upd_addr_o, pins.upd_old_o, pins.upd_new_o};
    waits_for_update_ = true;
  } else if (pins.rsp_valid_o && pins.rsp_ready_i) {
    event = Event::kResult;
    sample_result();
    busy_ = pins.req_valid_i;
  }

  model_->high(time);
  ++busy_cycles_;
  pins.mem_rsp_valid_i = 0;
  pins.upd_rsp_valid_i = 0;
  if (taken) {
    pins.req_valid_i = 0;
    result_.steps = 0;
  }
  return event;
}

RtlWalkerCore::Event RtlWalkerCore::run(Ps& time, Ps period) {
  SVASIM_CHECK(busy_ && !waits_for_memory(), "the walker has nothing to do");
  Event event = clock(time);
  while (event == Event::kNone) {
    time += period;
    event = clock(time);
  }
  return event;
}

void RtlWalkerCore::sample_result() {
  const Vsvasim_walker& pins = *model_->pins;
  result_.fault = pins.rsp_fault_o;
  result_.level = pins.rsp_level_o;
  result_.page = pins.rsp_page_o;
  result_.page_shift = pins.rsp_shift_o;
  result_.write = pins.rsp_write_o;
  result_.user = pins.rsp_user_o;
  result_.dirty = pins.rsp_dirty_o;
  result_.reads = pins.rsp_reads_o;
  result_.updates = pins.rsp_updates_o;
}

void RtlWalkerCore::answer_read(std::uint64_t data, bool error) {
  SVASIM_CHECK(waits_for_read_, "the walker waits for no read");
  Vsvasim_walker& pins = *model_->pins;
  pins.mem_rsp_valid_i = 1;
  pins.mem_rsp_data_i = data;
  pins.mem_rsp_error_i = error;
  waits_for_read_ = false;
}

void RtlWalkerCore::answer_update(std::uint64_t seen, bool error) {
  SVASIM_CHECK(waits_for_update_, "the walker waits for no update");
  Vsvasim_walker& pins = *model_->pins;
  pins.upd_rsp_valid_i = 1;
  pins.upd_rsp_data_i = seen;
  pins.upd_rsp_error_i = error;
  waits_for_update_ = false;
}

}  // namespace svasim
