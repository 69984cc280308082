#include <CLI/CLI.hpp>

#include "wharf/perf/wharf/probe.h"

int main(int argc, char** argv) {
  namespace perf = wharf::perf;
  CLI::App app("Measures wharf from outside, and prints JSON.");
  app.require_subcommand(1);
  int status = 0;

  unsigned links = 1;
  double seconds = 1;
  CLI::App* idle = app.add_subcommand("idle", "Switches and CPU time of links at rest; exit status 1 if there are any");
  idle->add_option("--links", links)->capture_default_str();
  idle->add_option("--seconds", seconds)->capture_default_str();
  idle->callback([&] { status = perf::probe_idle(links, seconds); });

  unsigned many_links = 1000;
  CLI::App* memory = app.add_subcommand("memory", "Resident memory of each idle link, both sides together");
  memory->add_option("--links", many_links)->capture_default_str()->check(CLI::Range(2U, 100'000U));
  memory->callback([&] { status = perf::probe_memory(many_links); });

  perf::SoakOptions soak_options;
  CLI::App* soak = app.add_subcommand("soak", "A long stream of 64-byte messages; a line for each slice of it");
  soak->add_option("--messages", soak_options.messages)->capture_default_str();
  soak->add_option("--slices", soak_options.slices)->capture_default_str()->check(CLI::PositiveNumber);
  soak->add_flag("--same-core", soak_options.same_core, "Both processes on one core");
  soak->callback([&] { status = perf::probe_soak(soak_options); });

  CLI11_PARSE(app, argc, argv);
  return status;
}
