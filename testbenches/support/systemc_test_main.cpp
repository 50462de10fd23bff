// The sc_main of every SystemC test: 1 ps resolution, and any SC_REPORT warning or worse fails the
// running test.
#include <gmock/gmock.h>

#include <systemc>

namespace {

void fail_on_report(const sc_core::sc_report& report, const sc_core::sc_actions&) {
  if (report.get_severity() == sc_core::SC_INFO) {
    return;
  }
  ADD_FAILURE() << "SC_REPORT " << report.get_msg_type() << ": " << report.get_msg();
  if (report.get_severity() >= sc_core::SC_ERROR) {
    throw report;
  }
}

}  // namespace

int sc_main(int argc, char** argv) {
  sc_core::sc_set_time_resolution(1, sc_core::SC_PS);
  sc_core::sc_report_handler::set_handler(fail_on_report);
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
