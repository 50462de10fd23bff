// Target T21: page faults of a device as measured on Linux, from a run of the shipped configuration.
#include <gtest/gtest.h>

#include <cstdio>

#include "base/units.h"
#include "sim/simulation.h"

namespace svasim {
namespace {

constexpr double kUs = 1e6;

// Share of the recorded values that are larger, to a tenth of a per cent.
double share_above(const Histogram& times, double limit) {
  unsigned per_mille = 0;
  while (per_mille < 1000 && static_cast<double>(times.percentile(per_mille + 1)) <= limit) ++per_mille;
  return 1 - per_mille / 1000.0;
}

TEST(Calibration, PageFaultsOfADeviceT21) {
  Simulation simulation(load_system_config("configs/page_faults.yaml", {}));
  simulation.run(nullptr);
  ASSERT_TRUE(simulation.checks().ok());

  // CAL QEMU: 25,965 requests; 364 of 10 to 100 us, 395 of 100 us to 1 ms, average 9 us.
  const Histogram service = *simulation.stats().histogram_value("host0.faults.service");
  ASSERT_EQ(service.count(), 25'965U);
  const double above_10 = share_above(service, 10 * kUs);
  const double above_100 = share_above(service, 100 * kUs);
  EXPECT_NEAR(above_10 - above_100, 0.014, 0.01);
  EXPECT_NEAR(above_100, 0.015, 0.01);
  EXPECT_EQ(share_above(service, 1000 * kUs), 0);
  EXPECT_NEAR(1 - above_10, 1 - 0.014 - 0.015, 0.01);
  EXPECT_GE(static_cast<double>(service.percentile(500)), 1 * kUs);
  EXPECT_LE(static_cast<double>(service.percentile(500)), 10 * kUs);
  EXPECT_NEAR(service.mean(), 9 * kUs, 0.75 * kUs);
  // Nothing waited: this is the handler alone.
  EXPECT_EQ(simulation.stats().histogram_value("host0.faults.queue")->sum(), 0U);

  // CAL M3U: end to end 2 to 4 times a minor fault of a CPU plus an interrupt. 1024 pages were touched.
  double touched = 0;
  for (const RunCheck& check : simulation.checks().all()) {
    if (check.expected.find("alice.touch latency") == 0) touched = check.figure.get<double>();
  }
  ASSERT_GT(touched, 0);
  const double interrupt = static_cast<double>(parse_quantity(
      Quantity::kTime,
      simulation.config().resolved["components"]["host0"]["interrupt_latency"].get<std::string>()));
  const double cpu = touched / 1024 + interrupt;
  const Histogram end_to_end = *simulation.stats().histogram_value("atc0.page_fault.latency");
  ASSERT_EQ(end_to_end.count(), 25'965U);
  for (const double latency : {end_to_end.mean(), static_cast<double>(end_to_end.percentile(500))}) {
    EXPECT_GE(latency / cpu, 2);
    EXPECT_LE(latency / cpu, 4);
  }
  std::printf(
      "service: mean %.2f us, median %.2f us, 10 to 100 us %.1f %%, above %.1f %%; end to end %.2f and %.2f "
      "times a CPU's fault plus interrupt (mean, median)\n",
      service.mean() / kUs, static_cast<double>(service.percentile(500)) / kUs, 100 * (above_10 - above_100),
      100 * above_100, end_to_end.mean() / cpu, static_cast<double>(end_to_end.percentile(500)) / cpu);
}

}  // namespace
}  // namespace svasim
