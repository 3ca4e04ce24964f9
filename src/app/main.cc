// mainstay: the operations backbone for fleets of AI agents. See docs/ARCHITECTURE.md.
#include "app/cli/commands.h"

int main(int argc, char** argv) { return mainstay::app::run_cli(argc, argv); }
