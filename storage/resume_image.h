#pragma once

#include <filesystem>

#include "model/result.h"

namespace pipit {

// When RocksDB leaves the mode in which it refuses writes, it drops its log. What only the head had is then nowhere on
// the disk until the next checkpoint is complete. So before, the store keeps an image of the folder as it is, and takes
// no samples until that checkpoint. A start that finds an image goes back to it. Files are linked, only the manifest
// and its like are copied, so it takes next to no space.

/// Makes the image in the folder. One that is there already stays: nothing was stored since.
/// REQUIRES: nobody writes to the database or removes its files.
Status keep_resume_image(const std::filesystem::path& folder);
/// The image is not needed any more.
Status drop_resume_image(const std::filesystem::path& folder);
/// Makes the folder what it was when the image was made, if there is one. Errors: unavailable, also when another
/// process has the folder open.
Status restore_resume_image(const std::filesystem::path& folder);

}  // namespace pipit
