#pragma once

namespace pipit {

/// `pipit alert try RECEIVER`: argv[0] is "try". Returns the exit code.
int try_receiver(int argc, char** argv);

}  // namespace pipit
