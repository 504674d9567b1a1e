#include "api/content_encoder.h"

#include <dlfcn.h>
#include <isa-l/igzip_lib.h>
#include <zlib.h>
#include <zstd.h>

#include <array>
#include <cstdint>
#include <new>

#include "telemetry/log.h"

namespace pipit {
namespace {

constexpr int kGzipWindowBits = 15 + 16;
constexpr int kGzipLevel = 1;  // half the time of the default level for a few per cent of size
constexpr int kMemLevel = 8;
constexpr int kZstdLevel = 1;
constexpr int kZstdWindowLog = 18;  // the level's own 512 KiB window would be felt where many are answered at once
constexpr std::size_t kPieceBytes = 16 << 10;

class ZlibEncoder final : public ContentEncoder {
 public:
  ZlibEncoder() {
    if (deflateInit2(&stream_, kGzipLevel, Z_DEFLATED, kGzipWindowBits, kMemLevel, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  ~ZlibEncoder() override { deflateEnd(&stream_); }
  ZlibEncoder(const ZlibEncoder&) = delete;
  ZlibEncoder& operator=(const ZlibEncoder&) = delete;

  void write(std::string_view input, bool last, std::string& out) override {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(input.data()));
    stream_.avail_in = static_cast<uInt>(input.size());
    char buffer[kPieceBytes];
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

/// What is used of ISA-L; null functions where it is not installed.
struct IsalLibrary {
  using Init = decltype(&isal_deflate_init);
  using Deflate = decltype(&isal_deflate);

  IsalLibrary() {
    void* library = dlopen("libisal.so.2", RTLD_LAZY | RTLD_LOCAL);
    if (library == nullptr) {
      log_info("Large answers in gzip are made by zlib, as ISA-L is not installed", {{"err", dlerror()}});
      return;
    }
    init = reinterpret_cast<Init>(dlsym(library, "isal_deflate_init"));
    deflate = reinterpret_cast<Deflate>(dlsym(library, "isal_deflate"));
  }
  bool usable() const { return init != nullptr && deflate != nullptr; }

  Init init = nullptr;
  Deflate deflate = nullptr;
};

const IsalLibrary& isal() {
  static const IsalLibrary library;
  return library;
}

/// REQUIRES: isal().usable().
class IsalEncoder final : public ContentEncoder {
 public:
  IsalEncoder() {
    isal().init(&stream_);
    stream_.level = 1;
    stream_.level_buf = work_.data();
    stream_.level_buf_size = static_cast<std::uint32_t>(work_.size());
    stream_.gzip_flag = IGZIP_GZIP;
  }

  void write(std::string_view input, bool last, std::string& out) override {
    stream_.next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(input.data()));
    stream_.avail_in = static_cast<std::uint32_t>(input.size());
    stream_.end_of_stream = last ? 1 : 0;
    std::uint8_t buffer[kPieceBytes];
    do {
      stream_.next_out = buffer;
      stream_.avail_out = sizeof buffer;
      // With these parameters it can't fail.
      isal().deflate(&stream_);  // NOLINT(clang-analyzer-core.CallAndMessage): it is usable
      out.append(reinterpret_cast<const char*>(buffer), sizeof buffer - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

 private:
  isal_zstream stream_;
  std::array<std::uint8_t, ISAL_DEF_LVL1_DEFAULT> work_;
};

class ZstdEncoder final : public ContentEncoder {
 public:
  ZstdEncoder() : context_(ZSTD_createCCtx(), &ZSTD_freeCCtx) {
    if (!context_) throw std::bad_alloc();
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kZstdLevel);
    ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_windowLog, kZstdWindowLog);
  }

  void write(std::string_view input, bool last, std::string& out) override {
    ZSTD_inBuffer in{input.data(), input.size(), 0};
    char buffer[kPieceBytes];
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

}  // namespace

std::unique_ptr<ContentEncoder> make_content_encoder(ContentCoding coding, bool large) {
  if (coding == ContentCoding::zstd) return std::make_unique<ZstdEncoder>();
  // Not made by make_unique, which would clear the work space first.
  if (large && isal().usable()) return std::unique_ptr<ContentEncoder>(new IsalEncoder);
  return std::make_unique<ZlibEncoder>();
}

}  // namespace pipit
