#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pipit {

/// Whether `text` is a bcrypt hash that `PasswordCheck` can check.
bool is_bcrypt_hash(std::string_view text);

/// The name and password of an `Authorization: Basic ...` header's value, or nothing when it has another form.
struct BasicCredentials {
  std::string name;
  std::string password;
};
std::optional<BasicCredentials> parse_basic_authorization(std::string_view header);

/// Checks names and passwords against bcrypt hashes, which take a tenth of a second by design, and remembers verdicts.
///
/// A name that is not known takes as long as a known one. What is remembered are keyed digests of what was asked, the
/// newest 128 that were right and the newest 128 that were wrong, so that wrong guesses do not drive out who belongs.
/// Thread-safe.
class PasswordCheck {
 public:
  /// name -> bcrypt hash; at least one.
  explicit PasswordCheck(std::map<std::string, std::string> users);

  /// The verdict if it is remembered. Quick.
  std::optional<bool> remembered(const BasicCredentials& credentials) const;
  /// The verdict; computes a hash if it is not remembered.
  bool verify(const BasicCredentials& credentials);

 private:
  using Digest = std::array<std::uint8_t, 32>;
  /// The newest of something, a bounded number.
  class Newest {
   public:
    bool has(const Digest& digest) const;
    void add(const Digest& digest);

   private:
    std::vector<Digest> digests_;
    std::size_t next_ = 0;
  };

  Digest digest(const BasicCredentials& credentials) const;

  const std::map<std::string, std::string> users_;
  std::array<std::uint8_t, 32> key_{};  ///< random, so that what is in memory tells nothing about passwords
  mutable std::mutex mutex_;            ///< of what is below
  Newest right_;
  Newest wrong_;
};

}  // namespace pipit
