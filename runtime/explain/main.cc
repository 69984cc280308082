// The program `wharf`: what this machine offers to programs that use the library.
#include <cstdio>
#include <string_view>

#include "wharf/runtime/explain/print.h"
#include "wharf/runtime/explain/probe.h"

namespace {

constexpr std::string_view kHelp =
    "Usage: wharf explain [--json]     what this machine offers, what wharf chooses, and how to "
    "get the rest\n"
    "       wharf --version\n"
    "       wharf --help\n"
    "\n"
    "Each feature is tried, as the user and in the container that runs this: run it where the "
    "server runs.\n"
    "Exit status: 0 if a reactor can be made here, 1 if not, 2 for a wrong argument.\n";

void print(std::FILE* file, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), file);
}

int explain(bool json) {
  const wharf::runtime::explain::Explanation explanation = wharf::runtime::explain::explain();
  print(stdout, json ? to_json(explanation) : to_table(explanation));
  return explanation.usable ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  const std::string_view option = argc > 2 ? argv[2] : "";
  if (command == "--help" || command == "-h" || option == "--help" || option == "-h") {
    print(stdout, kHelp);
    return 0;
  }
  if (command == "--version" && argc == 2) {
    print(stdout, "wharf " WHARF_VERSION "\n");
    return 0;
  }
  if (command == "explain" && (argc == 2 || (argc == 3 && option == "--json"))) {
    return explain(option == "--json");
  }
  print(stderr, kHelp);
  return 2;
}
