// Runs a fuzz target over the files of a folder, or over single files: the committed seeds, as a test.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "wharf/tests/fuzz/input.h"

namespace {

int run_file(const std::filesystem::path& path) {
  std::printf("%s\n", path.c_str());
  std::fflush(stdout);  // the last one printed is the one that failed
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::perror(path.c_str());
    return 1;
  }
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

}  // namespace

int main(int argc, char** argv) {
  int failed = 0;
  int count = 0;
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      failed |= run_file(argv[i]);
      ++count;
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      failed |= run_file(entry.path());
      ++count;
    }
  }
  if (count == 0) std::fprintf(stderr, "usage: %s FOLDER|FILE... (no seed was found)\n", argv[0]);
  return count == 0 ? 2 : failed;
}
