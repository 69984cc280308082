#include "wharf/runtime/base/check.h"

#include <string>

#include <gtest/gtest.h>

namespace wharf::runtime {
namespace {

enum class Kind : int { kSmall = 7 };

TEST(CheckTest, WhatHoldsDoesNothing) {
  WHARF_CHECK(true, "never seen");
  WHARF_CHECK_EQ(1 + 1, 2);
  WHARF_CHECK_LT(1U, 2U);
}

TEST(CheckTest, AValueIsEvaluatedOnce) {
  int evaluated = 0;
  const auto evaluate = [&evaluated] { return ++evaluated; };
  WHARF_CHECK_EQ(evaluate(), 1);
  WHARF_CHECK(evaluate() == 2, "twice");

  EXPECT_EQ(evaluated, 2);
}

TEST(CheckDeathTest, AFailedCheckNamesPlaceConditionAndReason) {
  EXPECT_DEATH(WHARF_CHECK(1 > 2, "order is lost"),
               "wharf: .*check_test.cc:[0-9]+: check failed: 1 > 2: order is lost");
}

TEST(CheckDeathTest, AFailedComparisonShowsBothValues) {
  const std::string text = "quay";
  EXPECT_DEATH(WHARF_CHECK_EQ(text, "pier"), "text == \"pier\": \\(quay vs pier\\)");
  EXPECT_DEATH(WHARF_CHECK_NE(Kind::kSmall, Kind::kSmall), "\\(7 vs 7\\)");
  EXPECT_DEATH(WHARF_CHECK_GE(-3, 0), "-3 >= 0: \\(-3 vs 0\\)");
}

TEST(CheckDeathTest, ADebugCheckIsAliveOnlyInDebugBuilds) {
  [[maybe_unused]] bool evaluated = false;
#ifdef NDEBUG
  WHARF_DCHECK(evaluated = true, "not evaluated");
  EXPECT_FALSE(evaluated);
#else
  EXPECT_DEATH(WHARF_DCHECK(evaluated, "in debug"), "in debug");
#endif
}

}  // namespace
}  // namespace wharf::runtime
