// Holds the table of docs/operations.md to the tests that there are: a row for each operation of the matrix, a column for
// each of its tests.
//
// WHARF_WRITE_PAGE=1 in the environment has it write the table instead.
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace wharf::test {
namespace {

// What a test of operation_matrix_test.cc is called in the table, and what a cell says.
struct Column {
  std::string_view suite;
  std::string_view test;
  std::string_view title;
  std::string_view cell = "yes";
};

constexpr Column kColumns[] = {
    {"AnyOperation", "Succeeds", "success"},
    {"WaitingOperation", "NeedNotWaitForWhatIsThere", "there already"},
    {"FailingOperation", "SaysWhatFailed", "error"},
    {"OperationOnASource", "SaysThatItsSourceHasEnded", "end"},
    {"OperationOnASource", "SaysSoWhenThatHappensMeanwhile", "end meanwhile"},
    {"InterruptibleOperation", "StoppedBeforeHasNotBegun", "stop before"},
    {"InterruptibleWait", "StoppedBeforeTheKernelHasItEnds", "stop as it begins"},
    {"InterruptibleWork", "StoppedBeforeTheKernelHasItSaysWhatIsSo", "stop as it begins"},
    {"InterruptibleWait", "StoppedMeanwhileEnds", "stop meanwhile"},
    {"InterruptibleWork", "StoppedMeanwhileSaysWhatIsSo", "stop meanwhile"},
    {"CountedOperation", "StoppedAfterItsEndHasSucceeded", "stop after"},
    {"InterruptibleOperation", "WithADeadlineInThePastHasNotBegun", "deadline past"},
    {"InterruptibleWait", "AtItsDeadlineEnds", "deadline"},
    {"AnyOperation", "SucceedsUnderSignalsThatAreHandled", "signals"},
    {"AwaiterThatLetsGo", "DestroyedWhileItWaitsLeavesNothing", "destroyed", "lets go"},
    {"AwaiterThatHoldsOnDeathTest", "DestroyedWhileItWaitsAborts", "destroyed", "aborts"},
};

constexpr std::string_view kBegin = "<!-- begin -->\n";
constexpr std::string_view kEnd = "<!-- end -->\n";

const Column* column_of(std::string_view suite, std::string_view test) {
  for (const Column& column : kColumns) {
    if (column.suite == suite && column.test == test) return &column;
  }
  return nullptr;
}

// "Rows/AnyOperation", "Succeeds/recv": one cell.
struct Table {
  Table() {
    const auto& unit = *::testing::UnitTest::GetInstance();
    for (int i = 0; i < unit.total_test_suite_count(); ++i) {
      const ::testing::TestSuite& suite = *unit.GetTestSuite(i);
      const std::string_view name = suite.name();
      if (!name.starts_with("Rows/")) continue;
      for (int j = 0; j < suite.total_test_count(); ++j) {
        add(name.substr(5), suite.GetTestInfo(j)->name());
      }
    }
  }
  void add(std::string_view suite, std::string_view test) {
    const std::size_t slash = test.find('/');
    const Column* column = column_of(suite, test.substr(0, slash));
    ASSERT_NE(column, nullptr) << suite << "." << test << " is no column of the table";
    const std::string row(test.substr(slash + 1));
    cells[row][std::string(column->title)] = column->cell;
  }
  std::string text() const {
    std::vector<std::string_view> titles;
    for (const Column& column : kColumns) {
      if (titles.empty() || titles.back() != column.title) titles.push_back(column.title);
    }
    std::string text = "| operation |";
    for (const std::string_view title : titles) text.append(" ").append(title).append(" |");
    text += "\n|---|";
    for (std::size_t i = 0; i < titles.size(); ++i) text += "---|";
    for (const auto& [row, said] : cells) {
      text += "\n| " + row + " |";
      for (const std::string_view title : titles) {
        const auto cell = said.find(std::string(title));
        text += cell != said.end() ? " " + cell->second + " |" : " |";
      }
    }
    return text + "\n";
  }
  std::map<std::string, std::map<std::string, std::string>> cells;
};

TEST(OperationPageTest, ThePageShowsWhichTestsThereAre) {
  const char* root = std::getenv("WHARF_SOURCE");
  ASSERT_NE(root, nullptr) << "run it with meson test, or with WHARF_SOURCE=<the source tree>";
  const std::string path = std::string(root) + "/docs/operations.md";
  std::ifstream file(path);
  const std::string page{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const std::size_t begin = page.find(kBegin);
  const std::size_t end = page.find(kEnd);
  ASSERT_TRUE(begin != std::string::npos && end != std::string::npos) << path << " has no table";
  const std::string table = Table().text();

  const std::string wanted = page.substr(0, begin + kBegin.size()) + table + page.substr(end);
  if (std::getenv("WHARF_WRITE_PAGE") != nullptr) std::ofstream(path) << wanted;

  EXPECT_EQ(page, wanted) << "remedy: run this test once with WHARF_WRITE_PAGE=1";
}

}  // namespace
}  // namespace wharf::test
