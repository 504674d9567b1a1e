#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

namespace pipit {

/// A certificate with its key, for an hour.
struct TestCertificate {
  std::shared_ptr<EVP_PKEY> key;
  std::shared_ptr<X509> certificate;

  /// `names` as OpenSSL's configuration has them: "DNS:client.example,IP:127.0.0.1". Signed by `issuer`, or by itself.
  static TestCertificate make(const std::string& common_name, const char* names,
                              const TestCertificate* issuer = nullptr) {
    TestCertificate made{{EVP_EC_gen("P-256"), EVP_PKEY_free}, {X509_new(), X509_free}};
    X509* x509 = made.certificate.get();
    X509_set_version(x509, 2);
    static long serial = 0;
    ASN1_INTEGER_set(X509_get_serialNumber(x509), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(x509), -60);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    X509_set_pubkey(x509, made.key.get());
    X509_NAME* name = X509_get_subject_name(x509);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(common_name.c_str()),
                               -1, -1, 0);
    X509_set_issuer_name(x509, issuer ? X509_get_subject_name(issuer->certificate.get()) : name);
    add_extension(x509, NID_subject_alt_name, names);
    if (issuer == nullptr) add_extension(x509, NID_basic_constraints, "critical,CA:TRUE");
    X509_sign(x509, issuer ? issuer->key.get() : made.key.get(), EVP_sha256());
    return made;
  }

  void write(const std::filesystem::path& certificate_file, const std::filesystem::path& key_file) const {
    std::FILE* file = std::fopen(certificate_file.c_str(), "w");
    PEM_write_X509(file, certificate.get());
    std::fclose(file);
    file = std::fopen(key_file.c_str(), "w");
    PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
  }

 private:
  static void add_extension(X509* x509, int nid, const char* value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
  }
};

}  // namespace pipit
