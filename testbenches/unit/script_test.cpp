// Register scripts: what is wrong with a file is said with its line; checks see and say what differs.
#include <gmock/gmock.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/rng.h"
#include "sim/cli.h"
#include "sim/script/parser.h"

namespace svasim {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

class ScriptFile {
 public:
  explicit ScriptFile(const std::string& text)
      : path_(std::filesystem::temp_directory_path() /
              ("svasim_script_" + std::to_string(getpid()) + "_" + std::to_string(count_++) + ".svs")) {
    std::ofstream(path_) << text;
  }
  ~ScriptFile() { std::filesystem::remove(path_); }
  ScriptFile(const ScriptFile&) = delete;
  ScriptFile& operator=(const ScriptFile&) = delete;
  std::string name() const { return path_.string(); }

 private:
  static inline int count_ = 0;
  std::filesystem::path path_;
};

Outcome script(const std::vector<std::string>& files) {
  std::vector<std::string> args = {"script"};
  args.insert(args.end(), files.begin(), files.end());
  std::ostringstream out;
  std::ostringstream err;
  const int code = run_cli(args, {out, err});
  return {code, out.str(), err.str()};
}

const std::string kHead = "spec VTD 11.4 \"a test\"\n";

// The first problem of `text`, which begins on line 2 of the file.
std::string problem(const std::string& text) {
  std::istringstream in(kHead + text + "\nexpect VER != 0\n");
  std::vector<std::string> problems;
  parse_script(in, "f.svs", problems);
  return problems.empty() ? "" : problems.front();
}

TEST(ScriptInput, EveryMistakeIsNamedWithItsLineAndWhatToDo) {
  EXPECT_EQ(problem("wirte GCMD = 1"), "f.svs:2: there is no statement 'wirte' (did you mean 'write'?)");
  EXPECT_EQ(problem("write GCDM = 1"),
            "f.svs:2: there is no register or variable 'GCDM' (did you mean 'GCMD'?)");
  EXPECT_EQ(problem("write GCMD.QEI = 1"), "f.svs:2: GCMD has no field 'QEI' (did you mean 'QIE'?)");
  EXPECT_EQ(problem("\n\nexpect FRCD[0] == 1").substr(0, 36), "f.svs:4: FRCD is wider than a value:");
  EXPECT_EQ(problem("expect FRCD.F == 1"), "f.svs:2: '[' is missing before '.'");
  EXPECT_EQ(problem("expect GSTS"), "f.svs:2: a comparison is missing: write == != < <= > or >= and a value");
  EXPECT_EQ(problem("expect GSTS == "), "f.svs:2: a value is missing at the end");
  EXPECT_EQ(problem("expect GSTS == 1 2"), "f.svs:2: '2' is too much");
  EXPECT_EQ(problem("poll GSTS == 1"), "f.svs:2: how long is missing: end with within 10 us");
  EXPECT_THAT(problem("poll GSTS == 1 within 10 ys"), HasSubstr("f.svs:2: "));
  EXPECT_EQ(problem("advance 2000 s"), "f.svs:2: a time is at most 1000 s");
  EXPECT_EQ(problem("advance"), "f.svs:2: a time is missing: write a time like 10 us");
  EXPECT_EQ(problem("let x = 0y"),
            "f.svs:2: '0y' is no number: write 12, 0x1f, 4k, 2m, 1g or a requester as 02:03.1");
  EXPECT_EQ(problem("let CAP = 1"), "f.svs:2: 'CAP' is a register");
  EXPECT_EQ(problem("let data = 1"), "f.svs:2: 'data' is the first address nothing else uses");
  EXPECT_EQ(problem("let fault = 1"), "f.svs:2: 'fault' has a meaning already: take another name");
  EXPECT_EQ(
      problem("let x = y"),
      "f.svs:2: there is no register or variable 'y'" +
          problem("let x = y").substr(std::string("f.svs:2: there is no register or variable 'y'").size()));
  EXPECT_EQ(problem("let x = mem62(0)"), "f.svs:2: there is no function 'mem62' (did you mean 'mem32'?)");
  EXPECT_EQ(problem("let x = mem64(0, 1)"), "f.svs:2: mem64() takes 1 values, not 2");
  EXPECT_EQ(problem("let x = (1 + 2"), "f.svs:2: ')' is missing at the end");
  EXPECT_EQ(problem("bytes data = \"12 3\""), "f.svs:2: \"12 3\" is not bytes like \"de ad\"");
  EXPECT_EQ(problem("bytes data = \"12"), "f.svs:2: the text that begins with \" has no end");
  EXPECT_EQ(problem("let x = $"), "f.svs:2: '$' has no meaning in a script");
  EXPECT_EQ(problem("table a third"), "f.svs:2: 'third' is no stage: write first or second");
  EXPECT_THAT(problem("map a iova=0 pa=0"),
              StartsWith("f.svs:2: there is no page table 'a': write table a first"));
  EXPECT_EQ(problem("table a first\nmap a iova=0"), "f.svs:3: pa= is missing");
  EXPECT_EQ(problem("table a first\nmap a iova=0 pa=0 sise=4k"),
            "f.svs:3: 'sise' has no meaning here (did you mean 'size'?)");
  EXPECT_EQ(problem("table a first\nmap a iova=0 pa=0 pa=1"), "f.svs:3: 'pa' is given twice");
  EXPECT_EQ(problem("context bdf=02:03.1 DTEE=1"),
            "f.svs:2: 'DTEE' has no meaning here (did you mean 'DTE'?)");
  EXPECT_EQ(problem("queue iotbl G=1"), "f.svs:2: there is no descriptor 'iotbl' (did you mean 'iotlb'?)");
  EXPECT_EQ(problem("queue raw 1, 2, 3"), "f.svs:2: a descriptor is 2 or 4 words");
  EXPECT_EQ(problem("dma raed bdf=1 addr=0"), "f.svs:2: 'raed': write dma read or dma write");
  EXPECT_EQ(problem("dma read addr=0 -> ok"), "f.svs:2: bdf= is missing");
  EXPECT_EQ(problem("dma read bdf=1 addr=0 -> okay"),
            "f.svs:2: 'okay' is no outcome of this request (known: ca, ok, ur)");
  EXPECT_EQ(problem("dma read bdf=1 addr=0 at=translate"),
            "f.svs:2: 'translate' is no value of at (did you mean 'translated'?)");
  EXPECT_EQ(problem("page-request bdf=1 addr=0 -> response"), "f.svs:2: code= is missing");
  EXPECT_EQ(problem("expect fault addr=0"), "f.svs:2: code= is missing");
  EXPECT_EQ(problem("expect fault code=1 type=raed"),
            "f.svs:2: 'raed' is no value of type (did you mean 'read'?)");
  EXPECT_THAT(problem("expect message hello"), StartsWith("f.svs:2: a device gets no message 'hello'"));
  EXPECT_EQ(problem("device talks"), "f.svs:2: 'talks': write answers or silent");
  EXPECT_EQ(problem("root nested"), "f.svs:2: 'nested': write legacy or scalable");
  EXPECT_EQ(problem("repeat dma"), "f.svs:2: how often is missing: write repeat 10 STATEMENT");
  EXPECT_EQ(problem("repeat 0 submit"), "f.svs:2: a statement can be repeated 1 to 100000 times");
  EXPECT_EQ(problem("print 1" + std::string(1000, ' ')), "f.svs:2: a line has at most 1000 characters");
}

TEST(ScriptInput, HeadOfAScript) {
  EXPECT_EQ(problem("spec VTD 1.2 \"again\""),
            "f.svs:2: a script cites one section; this is the second spec");
  EXPECT_EQ(problem("spec VTD"), "f.svs:2: write spec VTD 6.5.2.3 \"what is tested\"");
  EXPECT_EQ(problem("set iommu"), "f.svs:2: write set iommu.capabilities.scalable_mode = true");
  EXPECT_EQ(problem("set iomu.walks = 1"), "f.svs:2: there is no part 'iomu' to set (did you mean 'iommu'?)");
  EXPECT_THAT(problem("\nset iommu.wlks = 1"), StartsWith("f.svs:3: iommu.wlks: "));
  EXPECT_THAT(problem("set iommu.walks = 1\nset iommu.walks = 0"), StartsWith("f.svs:3: iommu.walks: "));
  EXPECT_THAT(problem("set memory.size = 2 MiB"),
              StartsWith("f.svs:2: memory begins at 0, has at least 512 MiB"));
  EXPECT_EQ(problem("submit\nset iommu.walks = 1"),
            "f.svs:3: set stands before the first statement: the system is built with it");
  const auto whole = [](const std::string& text) {
    std::istringstream in(text);
    std::vector<std::string> problems;
    parse_script(in, "f.svs", problems);
    return problems.at(0);
  };
  EXPECT_THAT(whole("expect VER != 0"), StartsWith("f.svs: no specification is cited"));
  EXPECT_THAT(whole(kHead + "submit"), StartsWith("f.svs: nothing is checked"));
}

TEST(ScriptInput, AllProblemsOfAllFilesAtOnceAndExitCode2) {
  const ScriptFile one(kHead + "foo\nbar\n");
  const ScriptFile two(kHead + "expect NOTHING == 1\n");
  const Outcome outcome = script({one.name(), two.name(), "no/such/file.svs"});
  EXPECT_EQ(outcome.code, kExitUsage);
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, HasSubstr(one.name() + ":2: "));
  EXPECT_THAT(outcome.err, HasSubstr(one.name() + ":3: "));
  EXPECT_THAT(outcome.err, HasSubstr(two.name() + ":2: "));
  EXPECT_THAT(outcome.err, HasSubstr("no/such/file.svs: cannot be read"));
}

TEST(ScriptInput, NoFileIsWrongUsage) {
  const Outcome outcome = script({});
  EXPECT_EQ(outcome.code, kExitUsage);
  EXPECT_THAT(outcome.err, HasSubstr("missing FILE"));
}

// What only shows when the script runs. One process per case: each constructs a system.
struct Mistake {
  const char* text;
  const char* reason;
};
void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.reason; }

class ScriptRunInput : public testing::TestWithParam<Mistake> {};

TEST_P(ScriptRunInput, IsNamedWithItsLine) {
  const auto& [text, reason] = GetParam();
  const ScriptFile file(kHead + text + "\nexpect VER != 0\n");
  const Outcome outcome = script({file.name()});
  EXPECT_EQ(outcome.code, kExitUsage);
  EXPECT_THAT(outcome.err, HasSubstr(file.name() + ":"));
  EXPECT_THAT(outcome.err, HasSubstr(reason));
}

INSTANTIATE_TEST_SUITE_P(
    Mistakes, ScriptRunInput,
    testing::Values(
        Mistake{"mem64 0x80000000 = 1", ":2: there is no memory at 0x80000000"},
        Mistake{"mem8 data = 256", ":2: 0x100 does not fit 8 bits"},
        Mistake{"write32 0x21 = 1", ":2: there is no 32-bit register at 0x21"},
        Mistake{"write64 0x2000 = 1", ":2: there is no 64-bit register at 0x2000"},
        Mistake{"write GCMD = 1 << 32", ":2: 0x100000000 does not fit 32 bits"},
        Mistake{"write IQA.QS = 8", ":2: 0x8 does not fit IQA.QS, whose mask is 0x7"},
        Mistake{"expect FRCD[8].F == 0", ":2: the fault records are 0 to 7"},
        Mistake{"let a = context_entry(02:03.1)", ":2: there is no context table for this requester"},
        Mistake{"context bdf=02:03.1\nlet a = pasid_entry(02:03.1, 1)", ":3: there is no PASID table"},
        Mistake{"pasid-entry bdf=02:03.1 pasid=1 pass", ":2: there is no PASID directory"},
        Mistake{"context bdf=1\npasid-entry bdf=1 pasid=1", ":3: an entry has first=NAME"},
        Mistake{"context bdf=0x10000", ":2: a requester has 16 bits"},
        Mistake{"table a second levels=2", ":2: levels= is 4 or 5"},
        Mistake{"table a first\nmap a iova=0 pa=0 size=8k", ":3: size= is 4k, 2m or 1g"},
        Mistake{"table a first\nmap a iova=0x1000 pa=0 size=2m", ":3: iova= and pa= are multiples"},
        Mistake{"table a first\nmap a iova=0 pa=0 size=2m\nmap a iova=0 pa=0",
                ":4: something else is mapped"},
        Mistake{"table a first\nunmap a iova=0", ":3: nothing is mapped there"},
        Mistake{"table a first\nlet b = entry(a, 0, 1)", ":3: the tables do not reach down"},
        Mistake{"table a first\nmap a iova=0 pa=0\nmem64 entry(a, 0, 4) = 0x50000001\nmap a iova=0x1000 pa=0",
                ":5: something else is mapped there, or the tables lead out of memory"},
        Mistake{"context bdf=1\nmem64 root_entry(1) = 0x50000001\nlet a = pasid_entry(1, 1)",
                ":4: the tables lead out of memory"},
        Mistake{"repeat 100000 let a = page()", ":2: the tables lead out of memory"},
        Mistake{"queue iotlb ADDR=0x1001", ":2: ADDR=0x1001 does not fit the field"},
        Mistake{"queue raw 1, 2, 3, 4", ":2: IQA.DW is 0: a descriptor is 2 words"},
        Mistake{"dma read bdf=1 addr=0 priv", ":2: priv and exec belong to the PASID prefix"},
        Mistake{"dma read bdf=1 addr=0 len=0", ":2: len= is 1 to 4096"},
        Mistake{"dma read bdf=1 addr=0 -> ok pa=0x80000000", ":2: pa= lies outside memory"},
        Mistake{"complete bdf=1 itag=32", ":2: itag= is 0 to 31"},
        Mistake{"page-request bdf=1 addr=1", ":2: addr= is the address of a page"}));

TEST(ScriptRun, ChecksSayWhatDiffersAndTheNextScriptRuns) {
  const ScriptFile good(kHead + "expect VER.MAJOR == 6\nlet x = 2 + 3 * 4 | 1 << 6\nexpect x == 78\n");
  const ScriptFile bad(
      "spec VTD 7.1 \"a wrong one\"\n\nexpect GSTS == 0\nexpect VER.MAJOR == 5  # 6\nexpect GSTS == 1\n");
  const Outcome outcome = script({bad.name(), good.name()});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.out,
              HasSubstr(bad.name() + ":4: expect VER.MAJOR == 5  # 6\n  expected: == 0x5\n  seen:     0x6\n"
                                     "  section:  VTD 7.1 \"a wrong one\"\n"));
  EXPECT_THAT(outcome.out, HasSubstr("FAIL " + bad.name() + " (2 checks)"));
  EXPECT_THAT(outcome.out, HasSubstr("ok   " + good.name() + " (2 checks)"));
  EXPECT_THAT(outcome.out, HasSubstr("\n2 scripts, 4 checks, 1 failed\n"));
}

TEST(ScriptRun, AllPassIsExitCode0) {
  const ScriptFile good(kHead +
                        "mem64 data = 0x0807060504030201, 9\nexpect mem32(data + 4) == 0x08070605\n"
                        "expect bytes data + 6 == \"07 08 09 00\"\nprint mem16(data)\n"
                        "repeat 3 expect mem8(data) == 1\n");
  const Outcome outcome = script({good.name()});
  EXPECT_EQ(outcome.code, kExitOk) << outcome.out << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr(":5: 0x201\n"));
  EXPECT_THAT(outcome.out, HasSubstr("1 scripts, 5 checks, 0 failed\n"));
}

// With translation off the bytes go where the address says: what pa= compares is memory.
TEST(ScriptRun, AWrongPhysicalAddressIsSeenInMemory) {
  const ScriptFile file(kHead +
                        "dma read bdf=1 addr=data -> ok pa=data\ndma write bdf=1 addr=data -> ok pa=data\n"
                        "dma read bdf=1 addr=data -> ok pa=data + 0x1000\n");
  const Outcome outcome = script({file.name()});
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.out, HasSubstr(":4: dma read"));
  EXPECT_THAT(outcome.out, HasSubstr("expected: the bytes at 0x10001000: "));
}

TEST(ScriptRun, TheExampleOfTheManualPasses) {
  std::ifstream in("docs/scripts.md");
  std::stringstream page;
  page << in.rdbuf();
  const std::string begin = "```svs\n";
  const std::size_t from = page.str().find(begin) + begin.size();
  ASSERT_GT(from, begin.size());
  const ScriptFile file(page.str().substr(from, page.str().find("```", from) - from));
  const Outcome outcome = script({file.name()});
  EXPECT_EQ(outcome.code, kExitOk) << outcome.out << outcome.err;
}

// The cases --faults prints for scripts that end with these requests, without the files.
std::vector<std::string> cases(const std::vector<std::string>& scripts) {
  std::deque<ScriptFile> files;
  std::vector<std::string> args = {"script", "--quiet", "--faults"};
  for (const std::string& requests : scripts) {
    files.emplace_back(kHead +
                       "let dev = 02:03.1\n"
                       "table fs first\n"
                       "map fs iova=0x1000 pa=data\n"
                       "map fs iova=0x2000 pa=data write=0\n"
                       "context bdf=dev DTE=1 PASIDE=1 PRE=1\n"
                       "pasid-entry bdf=dev pasid=1 first=fs DID=1\n"
                       "enable\n" +
                       requests);
    args.push_back(files.back().name());
  }
  std::ostringstream out;
  std::ostringstream err;
  EXPECT_EQ(run_cli(args, {out, err}), kExitOk) << out.str();
  std::vector<std::string> found;
  std::istringstream lines(out.str());
  for (std::string line; std::getline(lines, line);) {
    const std::size_t at = line.find(": fault ");
    if (at != std::string::npos) found.push_back(line.substr(at + 8));
  }
  return found;
}

TEST(ScriptFaults, ACaseIsARecordAndTheAnswerOfTheRequestItNames) {
  using testing::ElementsAre;
  EXPECT_THAT(cases({"dma read bdf=dev pasid=1 addr=0x5000 -> ur\n"
                     "dma write bdf=dev pasid=2 addr=0x5000 -> ur\n"
                     "expect fault code=0x71\n"
                     "expect fault code=0x59\n"
                     "page-request bdf=dev pasid=2 addr=0x5000 read last -> response code=1\n"
                     "expect fault code=0x59\n"
                     "dma read bdf=dev pasid=1 addr=data at=translated -> ur\n"
                     "expect fault code=0x49\n"}),
              ElementsAre("0x71 untranslated ur logged", "0x59 untranslated ur logged",
                          "0x59 page-request response-1 logged", "0x49 translated ur logged"));
}

TEST(ScriptFaults, NothingIsProvedByAnAnswerOrARecordThatWasNotChecked) {
  EXPECT_THAT(cases({"dma read bdf=dev pasid=1 addr=0x5000\n"
                     "expect fault code=0x71\n"
                     "dma read bdf=dev pasid=1 addr=0x5000 -> ur\n"}),
              testing::IsEmpty());
}

TEST(ScriptFaults, AQuietTranslationRequestHasTheReasonOfTheSameRequestBefore) {
  using testing::ElementsAre;
  const std::string before = "dma write bdf=dev pasid=1 addr=0x2000 -> ur\nexpect fault code=0x85\n";
  const std::string first = "0x85 untranslated ur logged";
  EXPECT_THAT(cases({before + "translate bdf=dev pasid=1 addr=0x2000 -> ok R=1 W=0\nexpect no-fault\n"}),
              ElementsAre(first, "0x85 translation-request effective-rights not-logged"));
}

// One difference each from what proves a case.
TEST(ScriptFaults, AQuietTranslationRequestProvesNothingOtherwise) {
  const std::string before = "dma write bdf=dev pasid=1 addr=0x2000 -> ur\nexpect fault code=0x85\n";
  const std::string after = "expect no-fault\n";
  const std::vector<std::string> scripts = {
      before + "translate bdf=dev pasid=1 addr=0x2000 -> ok R=1 W=0\n",      // nobody looked for records
      before + "translate bdf=dev pasid=1 addr=0x2000 -> ok R=1\n" + after,  // W not compared
      before + "translate bdf=dev pasid=1 nw addr=0x2000 -> ok R=1 W=0\n" + after,  // did not ask to write
      before + "translate bdf=dev pasid=1 addr=0x1000 -> ok R=1 W=1\n" + after,     // another page
      before + "mem64 data = 1\ntranslate bdf=dev pasid=1 addr=0x2000 -> ok R=1 W=0\n" + after};
  const std::vector<std::string> found = cases(scripts);
  EXPECT_EQ(found.size(), scripts.size());
  EXPECT_THAT(found, testing::Each("0x85 untranslated ur logged"));
}

TEST(ScriptInput, DamagedFilesNeverDoMoreThanFail) {
  const std::string text =
      kHead +
      "set iommu.walks = 2\ntable a first levels=4\nmap a iova=0x1000 pa=data size=4k\n"
      "context bdf=02:03.1 DTE=1\npasid-entry bdf=02:03.1 pasid=1 first=a DID=1\nenable\n"
      "queue iotlb G=1\nsync within 10 us\ndma read bdf=02:03.1 addr=(1 << 3) -> ok data=\"00\"\n"
      "expect fault code=1 type=read\npoll FRCD[0].F != ~mem64(data) within 1 ms\n";
  RngStream random(1, "script_damage");
  for (unsigned i = 0; i < 3000; ++i) {
    std::string damaged = text;
    for (unsigned n = 0; n <= i % 4; ++n) {
      const std::size_t at = random.below(damaged.size());
      switch (random.below(3)) {
        case 0:
          damaged[at] = static_cast<char>(random.below(256));
          break;
        case 1:
          damaged.erase(at, 1 + random.below(5));
          break;
        default:
          damaged.insert(at, damaged.substr(random.below(damaged.size()), random.below(12)));
          break;
      }
    }
    std::istringstream in(damaged);
    std::vector<std::string> problems;
    parse_script(in, "f.svs", problems);
    for (const std::string& line : problems) EXPECT_THAT(line, StartsWith("f.svs"));
  }
}

}  // namespace
}  // namespace svasim
