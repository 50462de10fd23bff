#include "base/units.h"

#include <gmock/gmock.h>

#include "base/rng.h"
#include "base/suggest.h"

namespace svasim {
namespace {

std::string error_of(Quantity kind, const std::string& text) {
  try {
    parse_quantity(kind, text);
  } catch (const UnitError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Units, ParsesExactly) {
  EXPECT_EQ(parse_time("10 ns"), 10'000U);
  EXPECT_EQ(parse_time("10ns"), 10'000U);
  EXPECT_EQ(parse_time(" 1.5 ns "), 1'500U);
  EXPECT_EQ(parse_time("0.001 ns"), 1U);
  EXPECT_EQ(parse_time("2.000 us"), 2'000'000U);
  EXPECT_EQ(parse_time("0.1 s"), 100'000'000'000U);  // 0.1 has no exact double
  EXPECT_EQ(parse_time("18446744073709551615 ps"), ~std::uint64_t{0});
  EXPECT_EQ(parse_bytes("4 KiB"), 4096U);
  EXPECT_EQ(parse_bytes("1.5 MiB"), 1572864U);
  EXPECT_EQ(parse_bytes("64 TiB"), 64ULL << 40);
  EXPECT_EQ(parse_quantity(Quantity::kBandwidth, "25 GB/s"), 25'000'000'000U);
  EXPECT_EQ(parse_quantity(Quantity::kBandwidth, "1 GiB/s"), 1ULL << 30);
  EXPECT_EQ(parse_quantity(Quantity::kFrequency, "2.4 GHz"), 2'400'000'000U);
}

TEST(Units, RefusesWithAnExample) {
  EXPECT_EQ(
      error_of(Quantity::kTime, "10 KiB"),
      "'10 KiB' is not a time: unknown unit 'KiB'; write for example '10 ns' (units: ps, ns, us, ms, s)");
  EXPECT_EQ(error_of(Quantity::kTime, "10"),
            "'10' is not a time: the unit is missing; write for example '10 ns' (units: ps, ns, us, ms, s)");
  EXPECT_EQ(error_of(Quantity::kTime, "1.0005 ns"),
            "'1.0005 ns' is not a time: it is finer than one ps; write for example '10 ns' "
            "(units: ps, ns, us, ms, s)");
  EXPECT_EQ(
      error_of(Quantity::kBytes, "4 KB"),
      "'4 KB' is not a size: unknown unit 'KB'; write for example '4 KiB' (units: B, KiB, MiB, GiB, TiB)");
  for (const char* text : {"", "ns", "-1 ns", "1. ns", ".5 ns", "1 ns ns", "1e3 ns", "0x10 ns", "1,5 ns"}) {
    EXPECT_NE(error_of(Quantity::kTime, text), "no error") << text;
  }
  EXPECT_THAT(error_of(Quantity::kTime, "18446744073709551616 ps"),
              testing::HasSubstr("does not fit 64 bits"));
  EXPECT_THAT(error_of(Quantity::kTime, "99999999999999999999999 ps"),
              testing::HasSubstr("does not fit 64 bits"));
  EXPECT_THAT(error_of(Quantity::kTime, "1.00000000000000000000001 s"),
              testing::HasSubstr("finer than one ps"));
  EXPECT_THAT(error_of(Quantity::kBytes, "0.3 B"), testing::HasSubstr("finer than one B"));
}

TEST(Units, FormatsShortAndExact) {
  EXPECT_EQ(format_time(2'000), "2 ns");
  EXPECT_EQ(format_time(1'500'000), "1.5 us");
  EXPECT_EQ(format_time(1'234'567), "1234.567 ns");
  EXPECT_EQ(format_time(0), "0 ps");
  EXPECT_EQ(format_bytes(4096), "4 KiB");
  EXPECT_EQ(format_bytes(4097), "4097 B");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_quantity(Quantity::kBandwidth, 25'000'000'000U), "25 GB/s");
}

TEST(Units, FormatThenParseIsIdentity) {
  RngStream rng(1, "units");
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t value = rng.next() >> rng.below(64);
    for (const Quantity kind :
         {Quantity::kTime, Quantity::kBytes, Quantity::kBandwidth, Quantity::kFrequency}) {
      ASSERT_EQ(parse_quantity(kind, format_quantity(kind, value)), value) << format_quantity(kind, value);
    }
  }
}

TEST(Units, ParseUnsigned) {
  std::uint64_t value = 0;
  EXPECT_TRUE(parse_unsigned("0x1F", value));
  EXPECT_EQ(value, 31U);
  EXPECT_TRUE(parse_unsigned("18446744073709551615", value));
  for (const char* text : {"", "0x", "-1", "1.0", "12a", " 1", "18446744073709551616"}) {
    EXPECT_FALSE(parse_unsigned(text, value)) << text;
  }
}

TEST(Suggest, EditDistance) {
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("entires", "entries"), 1U);  // a swap is one slip
  EXPECT_EQ(edit_distance("same", "same"), 0U);
}

TEST(Suggest, NearWordOrTheWholeList) {
  EXPECT_EQ(suggestion("entreis", {"ways", "entries"}), " (did you mean 'entries'?)");
  EXPECT_EQ(suggestion("colour", {"ways", "entries"}), " (known: entries, ways)");
  EXPECT_EQ(suggestion("x", {}), "");
}

}  // namespace
}  // namespace svasim
