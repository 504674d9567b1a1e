#pragma once

namespace pipit {

/// Lets the process open as many files as it may at all: most systems start programs with 1,024, which is fewer than
/// the connections to a thousand targets and their store.
void raise_open_file_limit();

}  // namespace pipit
