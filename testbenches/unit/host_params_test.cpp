// What a workload must not ask for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/host/host_params.h"

namespace svasim {
namespace {

// The problems of a host whose text begins "bus: b\niommus: [i]\ndevices: [d]\n".
std::string problems_of(const std::string& text) {
  Problems problems;
  const Config config =
      load_config_text("bus: b\niommus: [i]\ndevices: [d]\n" + text, "host.yaml", {}, problems);
  host_params().load(config.root, problems);
  return problems.to_string();
}

std::string process(const std::string& steps, const std::string& more = "") {
  return "processes:\n- {name: p, device: d, " + more +
         "buffers: [{name: a, size: 64 KiB}, {name: b, size: 16 KiB}], steps: [" + steps + "]}\n";
}

TEST(HostParams, AGoodWorkload) {
  EXPECT_EQ(problems_of(process(
                "{do: memmove, from: a, to: b, size: 16 KiB}, {do: munmap, to: b}, {do: sleep}, "
                "{do: mmap, to: b}, {do: fill, to: b}, {do: remap, to: a}, {do: noop}, {do: verify, to: a}")),
            "");
}

TEST(HostParams, BadSteps) {
  using testing::HasSubstr;
  EXPECT_THAT(problems_of(process("{do: fill, to: c}")),
              HasSubstr("step 1 (fill): there is no buffer \"c\""));
  EXPECT_THAT(problems_of(process("{do: memmove, to: b}")), HasSubstr("step 1 (memmove): names no buffer"));
  EXPECT_THAT(problems_of(process("{do: munmap, to: a}, {do: fill, to: a}")),
              HasSubstr("step 2 (fill): buffer \"a\" is not mapped"));
  EXPECT_THAT(problems_of(process("{do: munmap, to: a}, {do: munmap, to: a}")),
              HasSubstr("step 2 (munmap): buffer \"a\" is not mapped"));
  EXPECT_THAT(problems_of(process("{do: mmap, to: a}")), HasSubstr("buffer \"a\" is mapped already"));
  EXPECT_THAT(problems_of(process("{do: memmove, from: a, to: b, size: 32 KiB}")),
              HasSubstr("an operation is larger than its buffer"));
  EXPECT_THAT(problems_of(process("{do: jump}")), HasSubstr("jump"));
}

TEST(HostParams, BadProcesses) {
  using testing::HasSubstr;
  EXPECT_THAT(problems_of("processes: [{name: p, device: x}]\n"),
              HasSubstr("process p: device \"x\" is not among the host's devices"));
  EXPECT_THAT(problems_of(process("", "outstanding: 17, ")),
              HasSubstr("more operations outstanding than dsa.wq_size"));
  EXPECT_THAT(problems_of("dsa: {max_transfer: 4 KiB}\n" + process("{do: fill, to: b, size: 8 KiB}")),
              HasSubstr("an operation is larger than dsa.max_transfer"));
  EXPECT_THAT(
      problems_of(
          "memory_size: 1 MiB\nprocesses: [{name: p, device: d, buffers: [{name: a, size: 2 MiB}]}]\n"),
      HasSubstr("less than what is resident"));
  EXPECT_THAT(problems_of("processes: [{name: p, device: d, buffers: [{name: a}, {name: a}]}]\n"),
              HasSubstr("two buffers \"a\""));
  EXPECT_THAT(problems_of("faults: {service_time: 1 us, service_spread: 1 us}\n"),
              HasSubstr("the service time would reach 0"));
  EXPECT_THAT(problems_of("faults: {distribution: buckets}\n"), HasSubstr("buckets needs at least one"));
  EXPECT_THAT(problems_of("faults: {service_buckets: [{from: 1 us, mean: 2 us, to: 3 us}]}\n"),
              HasSubstr("only distribution buckets has them"));
  EXPECT_THAT(
      problems_of("faults: {distribution: buckets, service_buckets: [{from: 2 us, mean: 1 us, to: 3 us}]}\n"),
      HasSubstr("is not between from and to"));
}

}  // namespace
}  // namespace svasim
