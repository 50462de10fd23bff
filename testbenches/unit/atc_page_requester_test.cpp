// Page request groups, indices and credits.
#include "models/atc/page_requester.h"

#include <gtest/gtest.h>

#include <set>

namespace svasim {
namespace {

const AtsSpace kFive{true, false, Pasid(5)};
const AtsSpace kSix{true, false, Pasid(6)};

PageRequestParams params(unsigned allocation, unsigned groups, unsigned pages) {
  PageRequestParams p = page_request_params().defaults();
  p.allocation = allocation;
  p.groups = groups;
  p.pages_per_group = pages;
  return p;
}

std::vector<PageRequester::Message> pump(PageRequester& requester) {
  std::vector<PageRequester::Message> sent;
  requester.pump([&](const PageRequester::Message& message) { sent.push_back(message); });
  return sent;
}

std::uint32_t ask(PageRequester& requester, const AtsSpace& space, Addr page, bool write = false,
                  Addr end = 0) {
  return requester.ask(space, page, end, write, 0);
}

TEST(PageRequester, JoinsWishesForTheSamePageAndRight) {
  PageRequester r(params(8, 8, 1));
  const auto read = ask(r, kFive, 0x1000);
  EXPECT_EQ(ask(r, kFive, 0x1FC0), read);
  EXPECT_NE(ask(r, kFive, 0x1000, true), read) << "another right";
  EXPECT_NE(ask(r, kSix, 0x1000), read) << "another address space";
  EXPECT_EQ(pump(r).size(), 3U);
  EXPECT_EQ(ask(r, kFive, 0x1000), read) << "also when it is under way";
  EXPECT_TRUE(pump(r).empty());
}

TEST(PageRequester, CreditsAndIndicesBoundWhatIsOutstanding) {
  PageRequester credits(params(2, 8, 1));
  PageRequester indices(params(8, 2, 1));
  for (PageRequester* r : {&credits, &indices}) {
    for (Addr page = 0; page < 4; ++page) ask(*r, kFive, page << 12);
    const auto first = pump(*r);
    ASSERT_EQ(first.size(), 2U);
    EXPECT_NE(first[0].index, first[1].index);
    EXPECT_TRUE(first[0].last);
    unsigned ended = 0;
    EXPECT_EQ(r->respond(first[1].index, [&](std::uint32_t) { ++ended; }), PageRequester::Answer::kTaken);
    EXPECT_EQ(ended, 1U);
    EXPECT_EQ(pump(*r).size(), 1U);
    EXPECT_EQ(r->waiting(), 1U);
  }
}

TEST(PageRequester, GroupsOnlyOneAddressSpaceAndEndWithLast) {
  PageRequester r(params(16, 16, 3));
  for (Addr page = 0; page < 4; ++page) {
    ask(r, kFive, page << 12);
    ask(r, kSix, page << 12);
  }
  const auto sent = pump(r);
  ASSERT_EQ(sent.size(), 8U);
  // Waiting wishes of PASID 5 first, three by three, then what is left in the order asked.
  std::map<unsigned, std::set<std::uint32_t>> pasids;
  std::map<unsigned, unsigned> lasts;
  std::map<unsigned, unsigned> counts;
  for (const auto& message : sent) {
    pasids[message.index].insert(message.space.pasid.value());
    lasts[message.index] += message.last;
    ++counts[message.index];
  }
  ASSERT_EQ(counts.size(), 4U);
  for (const auto& [index, count] : counts) {
    EXPECT_LE(count, 3U);
    EXPECT_EQ(lasts[index], 1U);
    EXPECT_EQ(pasids[index].size(), 1U);
  }
  // One response ends all wishes of its group.
  unsigned ended = 0;
  r.respond(sent[0].index, [&](std::uint32_t) { ++ended; });
  EXPECT_EQ(ended, counts[sent[0].index]);
}

TEST(PageRequester, GroupNeedsACreditForEveryPage) {
  PageRequester r(params(2, 16, 4));
  ask(r, kFive, 0x1000, false, 0x8000);  // pages 1 to 7
  const auto sent = pump(r);
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[1].page, 0x2000U);
  EXPECT_TRUE(sent[1].last);
  EXPECT_EQ(r.credits(), 0U);
  r.respond(sent[0].index, [](std::uint32_t) {});
  EXPECT_EQ(r.credits(), 2U);
}

TEST(PageRequester, PagesAheadEndWithTheBuffer) {
  PageRequester r(params(16, 16, 8));
  ask(r, kFive, 0x1000, true, 0x3000);  // the buffer ends with page 2
  EXPECT_EQ(pump(r).size(), 2U);
  PageRequester s(params(16, 16, 8));
  ask(s, kFive, 0x1000, true, 0x3001);
  EXPECT_EQ(pump(s).size(), 3U);
}

TEST(PageRequester, UnknownIndexIsUnexpected) {
  PageRequester r(params(2, 4, 1));
  EXPECT_EQ(r.respond(0, [](std::uint32_t) {}), PageRequester::Answer::kUnexpected);
  EXPECT_EQ(r.respond(511, [](std::uint32_t) {}), PageRequester::Answer::kUnexpected);
  ask(r, kFive, 0x1000);
  const auto sent = pump(r);
  r.respond(sent[0].index, [](std::uint32_t) {});
  EXPECT_EQ(r.respond(sent[0].index, [](std::uint32_t) {}), PageRequester::Answer::kUnexpected)
      << "second answer";
}

TEST(PageRequester, FailureEndsEverything) {
  PageRequester r(params(1, 4, 1));
  ask(r, kFive, 0x1000);
  ask(r, kFive, 0x2000);
  const auto sent = pump(r);
  unsigned ended = 0;
  r.fail([&](std::uint32_t) { ++ended; });
  EXPECT_EQ(ended, 2U);
  EXPECT_FALSE(r.enabled());
  EXPECT_EQ(r.respond(sent[0].index, [&](std::uint32_t) { ++ended; }), PageRequester::Answer::kIgnored);
  EXPECT_EQ(ended, 2U);
  r.enable(7);
  EXPECT_EQ(r.credits(), 7U);
  EXPECT_EQ(r.groups_outstanding(), 0U);
}

}  // namespace
}  // namespace svasim
