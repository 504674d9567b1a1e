#pragma once

namespace pipit {

/// Unmaps the program's code, so that the pages that only starting needed no longer count as resident. What runs
/// comes back from the page cache as it is called. Call it once the server is ready, and
/// again when every target has been scraped.
void release_startup_code();

}  // namespace pipit
