#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/result.h"
#include "model/sample.h"

namespace pipit {

/// `tls_server_config`: PEM texts, read from their files, and what to ask of clients.
struct TlsServerConfig {
  enum class ClientAuth { none, request, require_any, verify_if_given, require_and_verify };

  std::string certificate;  ///< with the chain behind it
  std::string key;
  std::string client_ca;
  ClientAuth client_auth = ClientAuth::none;
  std::vector<std::string> client_allowed_sans;  ///< of which a client's certificate needs one; none: any will do
  int min_version = 0;                           ///< OpenSSL's number
  int max_version = 0;
  std::vector<std::string> cipher_suites;      ///< OpenSSL's names, of TLS 1.2; none: OpenSSL's choice
  std::vector<std::string> curve_preferences;  ///< OpenSSL's names
  bool prefer_server_cipher_suites = true;
};

/// The file of --web.config.file, in Prometheus's format.
struct WebConfig {
  bool tls_enabled = false;
  TlsServerConfig tls;
  std::map<std::string, std::string> users;  ///< name -> bcrypt hash; none: everybody may
  std::vector<std::pair<std::string, std::string>> headers;
  DurationMs rate_interval = 0;  ///< time in which the bucket gains one request; 0: no limit
  unsigned rate_burst = 0;
};

/// Reads the file and those that it names, relative to its folder. Every mistake is an error with its place: a
/// misspelt key would leave open what it was to protect. `files` becomes what was looked for, also when that fails: the
/// file itself and those that it names.
Result<WebConfig> load_web_config(const std::string& path, std::vector<std::string>& files);

}  // namespace pipit
