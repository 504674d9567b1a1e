#include "api/body_encoding.h"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "api/content_encoder.h"

namespace pipit {
namespace {

/// Of a body at once; streams are larger than what they give in their first pieces.
constexpr std::size_t kLargeBytes = 256 << 10;

class EncodedSource final : public BodySource {
 public:
  EncodedSource(ContentCoding coding, std::unique_ptr<BodySource> source)
      : source_(std::move(source)), encoder_(make_content_encoder(coding, true)) {}

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
  std::unique_ptr<ContentEncoder> encoder_;
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
  make_content_encoder(coding, body.size() >= kLargeBytes)->write(body, true, out);
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
