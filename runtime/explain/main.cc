// The program `wharf`: what this machine offers to programs that use the library.
#include <cstddef>
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

// Gives `status`, or 1 if not all could be written, to a full disk say.
int print(std::FILE* file, std::string_view text, int status) {
  const std::size_t written = std::fwrite(text.data(), 1, text.size(), file);
  if (written == text.size() && std::fflush(file) == 0) return status;
  std::perror("wharf: cannot write what was asked for");
  return 1;
}

int explain(bool json) {
  const wharf::runtime::explain::Explanation explanation = wharf::runtime::explain::explain();
  const int status = explanation.usable ? 0 : 1;
  return print(stdout, json ? to_json(explanation) : to_table(explanation), status);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  const std::string_view option = argc > 2 ? argv[2] : "";
  if (command == "--help" || command == "-h" || option == "--help" || option == "-h") {
    return print(stdout, kHelp, 0);
  }
  if (command == "--version" && argc == 2) {
    return print(stdout, "wharf " WHARF_VERSION "\n", 0);
  }
  if (command == "explain" && (argc == 2 || (argc == 3 && option == "--json"))) {
    return explain(option == "--json");
  }
  return print(stderr, kHelp, 2);
}
