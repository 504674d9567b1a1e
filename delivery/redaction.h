#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pipit {

/// Takes secrets out of what others read.
class Redaction {
 public:
  /// A secret as it stands. One of less than two characters is none.
  void add(std::string secret);
  /// What a URL's path, or a line of a header, has that may be secret: the other side may answer with parts of it, or
  /// write it in another way (`\/`, `%2F`).
  void add_parts(std::string_view text);

  /// What Pipit itself has written: without the secrets as they stand.
  std::string own(std::string text) const;
  /// What the other side has written: without their parts, too.
  std::string others(std::string text) const;

 private:
  std::vector<std::string> whole_;
  std::vector<std::string> parts_;
};

}  // namespace pipit
