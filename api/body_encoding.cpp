#include "api/body_encoding.h"

#include <strings.h>
#include <zlib.h>

#include <charconv>
#include <new>
#include <utility>

namespace pipit {
namespace {

constexpr int kGzipWindowBits = 15 + 16;
constexpr int kLevel = 1;
constexpr int kMemLevel = 8;

/// One gzip stream.
class Deflater {
 public:
  Deflater() {
    if (deflateInit2(&stream_, kLevel, Z_DEFLATED, kGzipWindowBits, kMemLevel, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  ~Deflater() { deflateEnd(&stream_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  /// Appends to `out` what zlib gives for `input` so far. REQUIRES: input.size() fits 32 bits.
  void write(std::string_view input, bool last, std::string& out) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
    stream_.avail_in = static_cast<uInt>(input.size());
    char buffer[16 * 1024];
    int status = Z_OK;
    do {
      stream_.next_out = reinterpret_cast<Bytef*>(buffer);
      stream_.avail_out = sizeof buffer;
      status = deflate(&stream_, last ? Z_FINISH : Z_NO_FLUSH);
      out.append(buffer, sizeof buffer - stream_.avail_out);
    } while (stream_.avail_out == 0 && status != Z_STREAM_END);
  }

 private:
  z_stream stream_{};
};

class GzipSource final : public BodySource {
 public:
  explicit GzipSource(std::unique_ptr<BodySource> source) : source_(std::move(source)) {}

  bool next(std::string& out) override {
    std::size_t start = out.size();
    bool more = true;
    // zlib swallows much before it gives anything; an empty piece would only cost a system call.
    while (more && out.size() - start < kPieceBytes / 4) {
      piece_.clear();
      more = source_->next(piece_);
      deflater_.write(piece_, !more, out);
    }
    return more;
  }

 private:
  std::unique_ptr<BodySource> source_;
  Deflater deflater_;
  std::string piece_;
};

class ChunkedSource final : public BodySource {
 public:
  explicit ChunkedSource(std::unique_ptr<BodySource> source) : source_(std::move(source)) {}

  bool next(std::string& out) override {
    piece_.clear();
    bool more = source_->next(piece_);
    if (!piece_.empty()) {
      char digits[16];
      auto end = std::to_chars(digits, digits + sizeof digits, piece_.size(), 16).ptr;
      out.append(digits, end).append("\r\n").append(piece_).append("\r\n");
    }
    if (!more) out.append("0\r\n\r\n");
    return more;
  }

 private:
  std::unique_ptr<BodySource> source_;
  std::string piece_;
};

class ConcatenatedSource final : public BodySource {
 public:
  ConcatenatedSource(std::string first, std::unique_ptr<BodySource> rest)
      : first_(std::move(first)), rest_(std::move(rest)) {}

  bool next(std::string& out) override {
    if (first_.empty()) return rest_->next(out);
    out.append(first_);
    std::string().swap(first_);
    return true;
  }

 private:
  std::string first_;
  std::unique_ptr<BodySource> rest_;
};

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

/// "q=0", "q=0.000".
bool is_zero_quality(std::string_view parameter) {
  parameter = trim(parameter);
  if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) return false;
  return parameter.substr(2).find_first_not_of("0.") == std::string_view::npos;
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
  while (!accept_encoding.empty()) {
    std::size_t comma = accept_encoding.find(',');
    std::string_view item = accept_encoding.substr(0, comma);
    accept_encoding = comma == std::string_view::npos ? std::string_view() : accept_encoding.substr(comma + 1);
    std::size_t semicolon = item.find(';');
    std::string_view name = trim(item.substr(0, semicolon));
    if (name.size() != 4 || strncasecmp(name.data(), "gzip", 4) != 0) continue;
    return semicolon == std::string_view::npos || !is_zero_quality(item.substr(semicolon + 1));
  }
  return false;
}

std::string gzip(std::string_view body) {
  std::string out;
  Deflater().write(body, true, out);
  return out;
}

std::unique_ptr<BodySource> gzip(std::unique_ptr<BodySource> source) {
  return std::make_unique<GzipSource>(std::move(source));
}

std::unique_ptr<BodySource> chunked(std::unique_ptr<BodySource> source) {
  return std::make_unique<ChunkedSource>(std::move(source));
}

std::unique_ptr<BodySource> concatenated(std::string first, std::unique_ptr<BodySource> rest) {
  return std::make_unique<ConcatenatedSource>(std::move(first), std::move(rest));
}

}  // namespace pipit
