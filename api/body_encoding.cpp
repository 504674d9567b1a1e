#include "api/body_encoding.h"

#include <strings.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <charconv>
#include <new>
#include <utility>

namespace pipit {
namespace {

constexpr int kGzipWindowBits = 15 + 16;
constexpr int kGzipLevel = 1;  // half the time of the default level for a few per cent of size
constexpr int kMemLevel = 8;
constexpr int kZstdLevel = 1;
constexpr int kZstdWindowLog = 18;  // the level's own 512 KiB window would be felt where many are answered at once

class Encoder {
 public:
  virtual ~Encoder() = default;
  /// Appends to `out` what the library gives for `input` so far. REQUIRES: input.size() fits 32 bits.
  virtual void write(std::string_view input, bool last, std::string& out) = 0;
};

/// One gzip stream.
class Deflater final : public Encoder {
 public:
  Deflater() {
    if (deflateInit2(&stream_, kGzipLevel, Z_DEFLATED, kGzipWindowBits, kMemLevel, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  ~Deflater() override { deflateEnd(&stream_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  void write(std::string_view input, bool last, std::string& out) override {
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

/// One zstd frame.
class ZstdEncoder final : public Encoder {
 public:
  ZstdEncoder() : context_(ZSTD_createCCtx(), &ZSTD_freeCCtx) {
    if (!context_) throw std::bad_alloc();
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kZstdLevel);
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_windowLog, kZstdWindowLog);
  }

  void write(std::string_view input, bool last, std::string& out) override {
    ZSTD_inBuffer in{input.data(), input.size(), 0};
    char buffer[16 * 1024];
    for (;;) {
      ZSTD_outBuffer piece{buffer, sizeof buffer, 0};
      const std::size_t left = ZSTD_compressStream2(context_.get(), &piece, &in, last ? ZSTD_e_end : ZSTD_e_continue);
      if (ZSTD_isError(left)) throw std::bad_alloc();  // with these parameters nothing else can fail
      out.append(buffer, piece.pos);
      if (last ? left == 0 : in.pos == in.size) return;
    }
  }

 private:
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context_;
};

std::unique_ptr<Encoder> make_encoder(ContentCoding coding) {
  if (coding == ContentCoding::zstd) return std::make_unique<ZstdEncoder>();
  return std::make_unique<Deflater>();
}

class EncodedSource final : public BodySource {
 public:
  EncodedSource(ContentCoding coding, std::unique_ptr<BodySource> source)
      : source_(std::move(source)), encoder_(make_encoder(coding)) {}

  bool next(std::string& out) override {
    std::size_t start = out.size();
    bool more = true;
    // An encoder swallows much before it gives anything; an empty piece would only cost a system call.
    while (more && out.size() - start < kPieceBytes / 4) {
      piece_.clear();
      more = source_->next(piece_);
      encoder_->write(piece_, !more, out);
    }
    return more;
  }

 private:
  std::unique_ptr<BodySource> source_;
  std::unique_ptr<Encoder> encoder_;
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

/// The `q=0.5` among an item's parameters, in thousandths; 1000 when it is not there or is no number.
int quality(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::size_t semicolon = parameters.find(';');
    const std::string_view parameter = trim(parameters.substr(0, semicolon));
    parameters = semicolon == std::string_view::npos ? std::string_view() : parameters.substr(semicolon + 1);
    if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) continue;
    double value = 1;
    const auto [end, error] = std::from_chars(parameter.data() + 2, parameter.data() + parameter.size(), value);
    return error == std::errc() && value >= 0 && value <= 1 ? static_cast<int>(value * 1000) : 1000;
  }
  return 1000;
}

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace

ContentCoding best_coding(std::string_view accept_encoding) {
  ContentCoding best = ContentCoding::identity;
  int best_quality = 0;
  while (!accept_encoding.empty()) {
    const std::size_t comma = accept_encoding.find(',');
    const std::string_view item = accept_encoding.substr(0, comma);
    accept_encoding = comma == std::string_view::npos ? std::string_view() : accept_encoding.substr(comma + 1);
    const std::size_t semicolon = std::min(item.find(';'), item.size());
    const std::string_view name = trim(item.substr(0, semicolon));
    const int liked = quality(item.substr(std::min(semicolon + 1, item.size())));
    for (const ContentCoding coding : {ContentCoding::gzip, ContentCoding::zstd}) {
      if (!same_name(name, coding_name(coding)) || liked == 0 || liked < best_quality) continue;
      if (liked == best_quality && coding < best) continue;
      best = coding;
      best_quality = liked;
    }
  }
  return best;
}

std::string_view coding_name(ContentCoding coding) {
  return coding == ContentCoding::gzip ? "gzip" : coding == ContentCoding::zstd ? "zstd" : "";
}

std::string encoded(ContentCoding coding, std::string_view body) {
  std::string out;
  make_encoder(coding)->write(body, true, out);
  return out;
}

std::unique_ptr<BodySource> encoded(ContentCoding coding, std::unique_ptr<BodySource> source) {
  return std::make_unique<EncodedSource>(coding, std::move(source));
}

std::unique_ptr<BodySource> chunked(std::unique_ptr<BodySource> source) {
  return std::make_unique<ChunkedSource>(std::move(source));
}

std::unique_ptr<BodySource> concatenated(std::string first, std::unique_ptr<BodySource> rest) {
  return std::make_unique<ConcatenatedSource>(std::move(first), std::move(rest));
}

}  // namespace pipit
