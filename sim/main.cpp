#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <systemc>

#include "sim/cli.h"

// The kernel's own main calls this.
int sc_main(int argc, char** argv) {
  const svasim::Console console{std::cout, std::cerr, isatty(STDERR_FILENO) != 0};
  return svasim::run_cli(std::vector<std::string>(argv + 1, argv + argc), console);
}

int main(int argc, char** argv) {
  setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
  return sc_core::sc_elab_and_sim(argc, argv);
}
