// The component `testing` of an outside project: the simulated port links and its clock runs.
#include "port/sim/sim_network.hpp"
#include "port/sim/sim_port.hpp"

int main() {
  return 0;
}
