// What a driver does wrong is named on stderr with the structure and its address, a few lines of each kind.
#include <gmock/gmock.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/problem_log.h"
#include "sim/cli.h"

namespace svasim {
namespace {

using testing::HasSubstr;
using testing::Not;

struct Outcome {
  std::string out;
  std::string err;
};

// A script behind the tables that all of them have.
Outcome script(const std::string& statements, bool quiet = false) {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("svasim_fault_log_" + std::to_string(getpid()) + ".svs");
  std::ofstream(path) << "spec VTD 7.1 \"bad input\"\n"
                         "let dev = 02:03.1\n"
                         "table fs first\n"
                         "table ss second\n"
                         "map fs iova=0x7f0000001000 pa=data\n"
                         "map ss iova=0x5000 pa=data\n"
                         "context bdf=dev DTE=1 PASIDE=1 PRE=1\n"
                         "pasid-entry bdf=dev pasid=0 second=ss DID=2\n"
                         "pasid-entry bdf=dev pasid=0x41 first=fs DID=1\n"
                      << statements;
  std::ostringstream out;
  std::ostringstream err;
  std::vector<std::string> args = {"script", path.string()};
  if (quiet) args.emplace_back("--quiet");
  EXPECT_EQ(run_cli(args, {out, err}), kExitOk) << out.str() << err.str();
  std::filesystem::remove(path);
  return {out.str(), err.str()};
}

// The first value that the script printed.
std::string printed(const Outcome& outcome) {
  const std::size_t at = outcome.out.find(": 0x");
  return outcome.out.substr(at + 2, outcome.out.find('\n', at) - at - 2);
}

struct Mistake {
  const char* name;
  const char* address;  // of the structure, as an expression
  const char* statements;
  const char* before;  // the address in the line
  const char* after;
};

void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.name; }

class FaultLogNames : public testing::TestWithParam<Mistake> {};

TEST_P(FaultLogNames, TheStructureAndItsAddress) {
  const Mistake& mistake = GetParam();
  const Outcome outcome = script("print " + std::string(mistake.address) + "\n" + mistake.statements);
  EXPECT_THAT(outcome.err, HasSubstr(mistake.before + printed(outcome) + mistake.after));
}

INSTANTIATE_TEST_SUITE_P(
    All, FaultLogNames,
    testing::Values(
        Mistake{"Root", "root_entry(dev)",
                "mem64 root_entry(dev) = 0\nenable\ndma read bdf=dev addr=0x5000 -> ur\n",
                "fault 0x39 SRT.2 (root entry half not present), root entry at ",
                ", requester 02:03.1, read of 0x5000\n"},
        Mistake{"Context", "context_entry(dev)",
                "mem64 context_entry(dev) = 1 << 7 | 1\nenable\ndma write bdf=dev addr=0x5000 -> ur\n",
                "fault 0x42 SCT.3 (reserved field in the context entry), context entry at ",
                ", requester 02:03.1, write of 0x5000\n"},
        Mistake{
            "ContextKnown", "context_entry(dev)",
            "enable\ndma read bdf=dev addr=0x5000 -> ok\ndma read bdf=dev pasid=0x2000 addr=0x5000 -> ur\n",
            "fault 0x46 SCT.7 (PASID beyond the PASID directory), context entry at ",
            ", requester 02:03.1 PASID 0x2000, read of 0x5000\n"},
        Mistake{"PasidDirectory", "directory_entry(dev, 0x41)",
                "mem64 directory_entry(dev, 0x41) = 1 << 2 | 1\nenable\n"
                "translate bdf=dev pasid=0x41 addr=0x5000 -> ca\n",
                "fault 0x52 SPD.3 (reserved field in the PASID directory entry), PASID directory entry at ",
                ", requester 02:03.1 PASID 0x41, translation request of 0x5000\n"},
        Mistake{"PasidTable", "pasid_entry(dev, 0x41)",
                "mem64 pasid_entry(dev, 0x41) = 7 << 6 | 1\nenable\n"
                "page-request bdf=dev pasid=0x41 addr=0x5000 read last -> response code=1\n",
                "fault 0x5b SPT.4 (invalid AW, PGTT, FSPM or nested FSPTPTR), PASID-table entry at ",
                ", requester 02:03.1 PASID 0x41, page request of 0x5000\n"},
        Mistake{"PasidTableKnown", "pasid_entry(dev, 0x41)",
                "enable\ndma read bdf=dev pasid=0x41 addr=0x7f0000001000 -> ok\n"
                "dma read bdf=dev pasid=0x41 priv addr=0x7f0000001000 -> ur\n",
                "fault 0x5d SPT.6 (privileged request and SRE=0), PASID-table entry at ",
                ", requester 02:03.1 PASID 0x41, read of 0x7f0000001000\n"},
        Mistake{"FirstStage", "entry(fs, 0x7f0000001000, 2)",
                "mem64 entry(fs, 0x7f0000001000, 2) = 0\nenable\n"
                "dma read bdf=dev pasid=0x41 addr=0x7f0000001000 -> ur\n",
                "fault 0x71 SFS.2 (first-stage entry not present), first-stage entry at ",
                " (level 2), requester 02:03.1 PASID 0x41, read of 0x7f0000001000\n"},
        Mistake{"SecondStage", "entry(ss, 0x5000, 1)",
                "mem64 entry(ss, 0x5000, 1) = 3 | 1 << 62\nenable\ndma read bdf=dev addr=0x5000 -> ur\n",
                "fault 0x7a SSS.3 (reserved field in a second-stage entry), second-stage entry at ",
                " (level 1), requester 02:03.1, read of 0x5000\n"},
        Mistake{"SecondStageRight", "entry(ss, 0x6000, 1)",
                "map ss iova=0x6000 pa=data write=0\nenable\ndma write bdf=dev addr=0x6000 -> ur\n",
                "fault 0x85 SGN.6 (no write permission), second-stage entry at ",
                " (level 1), requester 02:03.1, write of 0x6000\n"},
        Mistake{"Descriptor", "iq_base + 0x20",
                "enable\nqueue iotlb G=1\nqueue raw 0xf, 0x10, 0x20, 0x30\nsubmit\npoll FSTS.IQE == 1 within "
                "1 ms\n",
                "invalidation queue error 3 (type of descriptor that this mode does not have), invalidation "
                "descriptor at ",
                ": 0xf 0x10 0x20 0x30, IQH 0x20, IQT 0x40\n"},
        Mistake{"DescriptorOutside", "0x50000000",
                "enable\nwrite GCMD.QIE = 0\nwrite IQA = 0x50000000 | 1 << 11\nwrite GCMD.QIE = 1\n"
                "write IQT = 0x20\npoll FSTS.IQE == 1 within 1 ms\n",
                "invalidation queue error 2 (descriptor cannot be read), invalidation descriptor at ",
                ", IQH 0x0, IQT 0x20\n"},
        Mistake{"PageRequestQueue", "0x50000000",
                "enable\nwrite PQA = 0x50000000\n"
                "page-request bdf=dev pasid=0x41 addr=0x9000 read last -> response code=0\n",
                "page request queue: descriptor at ", " cannot be written, PQA is 0x50000000"}),
    [](const auto& mistake) { return mistake.param.name; });

// The entry of the second stage that keeps a first-stage table from being read.
TEST(FaultLog, NestedNamesTheStageAndTheHostAddress) {
  const Outcome outcome = script(
      "map ss iova=fs pa=fs\n"
      "pasid-entry bdf=dev pasid=0x44 first=fs second=ss DID=3\n"
      "let table = entry(fs, 0x7f0000001000, 3) >> 12 << 12\n"
      "map ss iova=table pa=table\n"
      "print entry(ss, table, 1)\n"
      "unmap ss iova=table\n"
      "enable\n"
      "dma read bdf=dev pasid=0x44 addr=0x7f0000001000 -> ur\n"
      "expect fault code=0x79\n");
  EXPECT_THAT(outcome.err,
              HasSubstr("fault 0x79 SSS.2 (second-stage entry without read and write), second-stage "
                        "entry at " +
                        printed(outcome) + " (level 1), requester 02:03.1 PASID 0x44"));
}

TEST(FaultLog, AFewLinesOfEachKindAndThenTheirNumber) {
  const Outcome outcome = script("enable\nrepeat 20 dma read bdf=dev addr=0x9000 -> ur\n");
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = outcome.err.find("fault 0x79", at)) != std::string::npos; ++at) ++lines;
  EXPECT_EQ(lines, ProblemLog::kLinesPerKind);
  EXPECT_THAT(outcome.err, HasSubstr(": 16 more of \"SSS.2\"\n"));
}

// What a device recovers from is no mistake, and FPD asks for silence.
TEST(FaultLog, NothingAboutFaultsThatAreNotRecorded) {
  const Outcome outcome = script(
      "pasid-entry bdf=dev pasid=0x42 first=fs DID=1 FPD=1\n"
      "enable\n"
      "translate bdf=dev pasid=0x41 addr=0x5000 -> no-rights\n"
      "dma read bdf=dev pasid=0x42 addr=0x5000 -> ur\n"
      "expect no-fault\n");
  EXPECT_EQ(outcome.err, "");
}

TEST(FaultLog, SaysWhenARecordWasLost) {
  const Outcome outcome = script(
      "enable\nrepeat 9 dma read bdf=dev pasid=0x41 addr=0x5000 -> ur\n"
      "dma read bdf=dev addr=0x9000 -> ur\n");
  EXPECT_THAT(outcome.err, HasSubstr("fault 0x79"));
  EXPECT_THAT(outcome.err, HasSubstr("read of 0x9000; not recorded, FSTS.PFO is set\n"));
}

TEST(FaultLog, QuietScriptsSayNothing) {
  EXPECT_EQ(script("enable\ndma read bdf=dev addr=0x9000 -> ur\n", true).err, "");
}

TEST(MemoryLog, AHostWithoutMemorySaysWhatToRaise) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("svasim_fault_log_" + std::to_string(getpid()));
  std::ostringstream out;
  std::ostringstream err;
  const int code = run_cli({"run", "configs/quickstart.yaml", "--out", folder.string(), "--set",
                            "components.host0.memory_size=5 MiB"},
                           {out, err});
  std::filesystem::remove_all(folder);
  EXPECT_EQ(code, kExitFailed);
  EXPECT_THAT(err.str(),
              HasSubstr("warning: host0: out of simulated memory: of 1280 pages from 0x100000 on 1280 are "
                        "in use; what needs one more fails. Raise components.host0.memory_size"));
}

TEST(ProblemLog, TextsAreMadeForPrintedLinesOnly) {
  std::ostringstream stream;
  const auto before = spdlog::default_logger();
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::ostream_sink_st>(stream)));
  unsigned made = 0;
  {
    ProblemLog log("a");
    for (unsigned i = 0; i < 10; ++i) {
      log.warn(1, "one", 2, [&] { return "first " + std::to_string(++made); });
    }
    log.warn(2, "two", 2, [&] { return "second " + std::to_string(++made); });
  }
  spdlog::set_default_logger(before);
  EXPECT_EQ(made, 3u);
  EXPECT_THAT(stream.str(), HasSubstr("a: first 2"));
  EXPECT_THAT(stream.str(), Not(HasSubstr("first 3")));
  EXPECT_THAT(stream.str(), HasSubstr("a: second 3"));
  EXPECT_THAT(stream.str(), HasSubstr("a: 8 more of \"one\""));
  EXPECT_THAT(stream.str(), Not(HasSubstr("of \"two\"")));
}

}  // namespace
}  // namespace svasim
