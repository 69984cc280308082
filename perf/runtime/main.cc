#include "wharf/perf/bench.h"

int main(int argc, char** argv) { return wharf::perf::run(argc, argv); }
