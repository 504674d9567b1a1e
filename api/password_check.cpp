#include "api/password_check.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <strings.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

namespace pipit {
namespace {

constexpr std::size_t kRemembered = 128;
constexpr std::size_t kBcryptLength = 60;
/// A longer header is no password.
constexpr std::size_t kMaxHeader = 8 << 10;

bool is_bcrypt_digit(char c) {
  return c == '.' || c == '/' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/// Whether `password` has that hash.
bool matches(const std::string& password, const std::string& hash) {
  const auto work = std::make_unique<crypt_data>();
  const char* computed = crypt_r(password.c_str(), hash.c_str(), work.get());
  const bool equal = computed != nullptr && std::string_view(computed).size() == hash.size() &&
                     CRYPTO_memcmp(computed, hash.data(), hash.size()) == 0;
  OPENSSL_cleanse(work.get(), sizeof(crypt_data));
  return equal;
}

}  // namespace

bool is_bcrypt_hash(std::string_view text) {
  if (text.size() != kBcryptLength || text[6] != '$') return false;
  if (!text.starts_with("$2a$") && !text.starts_with("$2b$") && !text.starts_with("$2y$")) return false;
  const int cost = (text[4] - '0') * 10 + (text[5] - '0');
  const bool digits = text[4] >= '0' && text[4] <= '9' && text[5] >= '0' && text[5] <= '9';
  return digits && cost >= 4 && cost <= 31 && std::all_of(text.begin() + 7, text.end(), is_bcrypt_digit);
}

std::optional<BasicCredentials> parse_basic_authorization(std::string_view header) {
  if (header.size() > kMaxHeader || header.size() < 6 || strncasecmp(header.data(), "Basic ", 6) != 0) return {};
  const std::string_view encoded = header.substr(6);
  if (encoded.empty() || encoded.size() % 4 != 0) return {};
  std::string decoded(encoded.size() / 4 * 3, '\0');
  const int n =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(decoded.data()),
                      reinterpret_cast<const unsigned char*>(encoded.data()), static_cast<int>(encoded.size()));
  if (n < 0) return {};
  const std::size_t padding = encoded.ends_with("==") ? 2 : encoded.ends_with("=") ? 1 : 0;
  decoded.resize(static_cast<std::size_t>(n) - padding);
  const std::size_t colon = decoded.find(':');
  if (colon == std::string::npos) return {};
  return BasicCredentials{decoded.substr(0, colon), decoded.substr(colon + 1)};
}

bool PasswordCheck::Newest::has(const Digest& digest) const {
  return std::find(digests_.begin(), digests_.end(), digest) != digests_.end();
}

void PasswordCheck::Newest::add(const Digest& digest) {
  if (has(digest)) return;
  if (digests_.size() < kRemembered) {
    digests_.push_back(digest);
  } else {
    digests_[next_] = digest;
    next_ = (next_ + 1) % kRemembered;
  }
}

PasswordCheck::PasswordCheck(std::map<std::string, std::string> users) : users_(std::move(users)) {
  if (RAND_bytes(key_.data(), static_cast<int>(key_.size())) != 1) {
    throw std::runtime_error("the system gives no random bytes");
  }
}

PasswordCheck::Digest PasswordCheck::digest(const BasicCredentials& credentials) const {
  // The length keeps ("a", "bc") and ("ab", "c") apart.
  std::string text = std::to_string(credentials.name.size()) + ":" + credentials.name + credentials.password;
  Digest digest{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), digest.data(), &size);
  OPENSSL_cleanse(text.data(), text.size());
  return digest;
}

std::optional<bool> PasswordCheck::remembered(const BasicCredentials& credentials) const {
  const Digest asked = digest(credentials);
  const std::lock_guard lock(mutex_);
  if (right_.has(asked)) return true;
  if (wrong_.has(asked)) return false;
  return {};
}

bool PasswordCheck::verify(const BasicCredentials& credentials) {
  if (const auto verdict = remembered(credentials)) return *verdict;
  // For an unknown name any user's hash takes the time that a known name's would.
  const auto user = users_.find(credentials.name);
  const bool known = user != users_.end();
  const bool equal = matches(credentials.password, known ? user->second : users_.begin()->second);
  // What follows a zero byte would be ignored.
  const bool verdict = known && equal && credentials.password.find('\0') == std::string::npos;
  const Digest asked = digest(credentials);
  const std::lock_guard lock(mutex_);
  (verdict ? right_ : wrong_).add(asked);
  return verdict;
}

}  // namespace pipit
