// Assertion macros. They are active in every simulator and every build.
//
// Both expect the module's clock and reset to be named clk_i and rst_ni.

`ifndef SVASIM_ASSERT_SVH
`define SVASIM_ASSERT_SVH

// Holds at every clock edge outside reset.
`define SVASIM_ASSERT(name_, prop_) \
  name_: assert property (@(posedge clk_i) disable iff (!rst_ni) prop_);

// An obligation of the environment; checked like an assertion.
`define SVASIM_ASSUME(name_, prop_) \
  name_: assert property (@(posedge clk_i) disable iff (!rst_ni) prop_);

`endif
