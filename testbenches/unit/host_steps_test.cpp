// Named steps and expectations of the scenario language.
#include <gtest/gtest.h>

#include <map>

#include "models/host/step_board.h"

namespace svasim {
namespace {

StepParams expect(const std::string& statistic, const std::string& step, const std::string& field) {
  StepParams s = step_params().defaults();
  s.action = "expect";
  s.statistic = statistic;
  s.step = step;
  s.field = field;
  s.where = "x.yaml:7";
  return s;
}

struct Board : testing::Test {
  std::map<std::string, double> values;
  StepBoard board{[this](const std::string& path, const std::string&) -> std::optional<double> {
    const auto found = values.find(path);
    return found == values.end() ? std::nullopt : std::optional(found->second);
  }};
  bool holds(const StepParams& step) {
    board.expect("p", step);
    return board.checks().back().ok;
  }
};

TEST(Figures, NumbersTimesAndSizes) {
  EXPECT_EQ(parse_figure("12")->value, 12.0);
  EXPECT_EQ(parse_figure("0.5")->value, 0.5);
  EXPECT_EQ(parse_figure("3 us")->value, 3e6);
  EXPECT_EQ(parse_figure("4 KiB")->value, 4096.0);
  EXPECT_FALSE(parse_figure("4 parsecs").has_value());
  EXPECT_FALSE(parse_figure("nan").has_value());
  EXPECT_FALSE(parse_figure("inf").has_value());
  EXPECT_TRUE(unit_fits(*parse_figure("3 us"), Quantity::kTime));
  EXPECT_FALSE(unit_fits(*parse_figure("3"), Quantity::kTime));
  EXPECT_FALSE(unit_fits(*parse_figure("3 us"), std::nullopt));
  EXPECT_TRUE(unit_fits(*parse_figure("3"), Quantity::kBytes));
}

TEST_F(Board, BoundsAreIncluded) {
  values["a"] = 10;
  StepParams s = expect("a", "", "value");
  s.at_least = "10";
  EXPECT_TRUE(holds(s));
  s.at_least = "10.5";
  EXPECT_FALSE(holds(s));
  s.at_least = "";
  s.at_most = "10";
  EXPECT_TRUE(holds(s));
  s.at_most = "9";
  EXPECT_FALSE(holds(s));
}

TEST_F(Board, EqualsWithinATolerance) {
  values["a"] = 104;
  StepParams s = expect("a", "", "value");
  s.equals = "100";
  EXPECT_FALSE(holds(s));
  s.tolerance = 0.04;
  EXPECT_TRUE(holds(s));
  values["a"] = 95;
  EXPECT_FALSE(holds(s));
}

TEST_F(Board, AFailedCheckSaysWhere) {
  StepParams s = expect("nothing", "", "value");
  s.equals = "0";
  EXPECT_FALSE(holds(s));  // no number is not zero
  EXPECT_EQ(board.checks().back().name, "expect.x.yaml:7");
}

TEST_F(Board, SinceCountsFromTheBeginOfTheStep) {
  values["a"] = 5;
  board.watch("p.s", "a", "value");
  board.begin("p.s", 100);
  values["a"] = 8;
  StepParams s = expect("a", "", "value");
  s.since = "s";
  s.equals = "3";
  EXPECT_TRUE(holds(s));
  s.since = "t";
  EXPECT_FALSE(holds(s));
}

TEST_F(Board, NumbersOfAStepThatHasEnded) {
  StepResult result;
  result.began_at = 1000;
  result.ended_at = 4000;
  result.completed = 9;
  result.failed = 2;
  result.ended = true;
  StepParams s = expect("", "s", "completed");
  s.equals = "9";
  board.begin("p.s", 1000);
  EXPECT_FALSE(holds(s));  // it has not ended
  board.end("p.s", result);
  EXPECT_TRUE(holds(s));
  s.field = "failed";
  s.equals = "2";
  EXPECT_TRUE(holds(s));
  s.field = "latency";
  s.equals = "3 ns";
  EXPECT_TRUE(holds(s));
}

TEST_F(Board, WaitingEndsWithTheStep) {
  bool ended = false;
  board.when_ended("p.s", [&](Errno error) { ended = error == Errno::kNone; });
  EXPECT_FALSE(ended);
  StepResult result;
  result.ended = true;
  board.end("p.s", result);
  EXPECT_TRUE(ended);
  ended = false;
  board.when_ended("p.s", [&](Errno error) { ended = error == Errno::kNone; });
  EXPECT_TRUE(ended);
}

TEST_F(Board, AStepHasToEndWithItsError) {
  StepParams s = step_params().defaults();
  s.action = "bind";
  board.ended_with("p", s, Errno::kNone);
  EXPECT_TRUE(board.checks().empty());
  board.ended_with("p", s, Errno::kBusy);
  EXPECT_FALSE(board.checks().back().ok);
  s.error = "EBUSY";
  board.ended_with("p", s, Errno::kBusy);
  EXPECT_TRUE(board.checks().back().ok);
  board.ended_with("p", s, Errno::kNone);
  EXPECT_FALSE(board.checks().back().ok);
  board.ended_with("p", s, Errno::kInvalid);
  EXPECT_FALSE(board.checks().back().ok);
}

TEST_F(Board, WaitingForAProcessThatIsGoneEndsWithACode) {
  std::vector<Errno> told;
  const auto note = [&told](Errno error) { told.push_back(error); };
  board.when_ended("p.s", note);
  board.when_ended("q.s", note);
  board.process_ended("p");
  EXPECT_EQ(told, std::vector<Errno>{Errno::kNoEntry});
  board.when_ended("p.t", note);  // from now on at once
  EXPECT_EQ(told, (std::vector<Errno>{Errno::kNoEntry, Errno::kNoEntry}));
}

}  // namespace
}  // namespace svasim
