#include "api/json_writer.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>

#include "model/number.h"

namespace pipit {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

/// Bytes that a JSON string can't hold as they are, or that need a look at what follows.
constexpr std::array<bool, 256> kNeedsCare = [] {
  std::array<bool, 256> table{};
  for (int c = 0; c < 256; ++c) table[static_cast<std::size_t>(c)] = c < 0x20 || c == '"' || c == '\\' || c >= 0x7f;
  return table;
}();

/// The length of the UTF-8 sequence at the start of `text`, 0 when it is none (RFC 3629).
std::size_t utf8_length(std::string_view text) {
  auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  auto in = [](unsigned b, unsigned low, unsigned high) { return b >= low && b <= high; };
  unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (in(first, 0xc2, 0xdf)) return in(byte(1), 0x80, 0xbf) ? 2 : 0;
  if (in(first, 0xe0, 0xef)) {
    unsigned low = first == 0xe0 ? 0xa0 : 0x80;   // overlong forms
    unsigned high = first == 0xed ? 0x9f : 0xbf;  // surrogates
    return in(byte(1), low, high) && in(byte(2), 0x80, 0xbf) ? 3 : 0;
  }
  if (in(first, 0xf0, 0xf4)) {
    unsigned low = first == 0xf0 ? 0x90 : 0x80;
    unsigned high = first == 0xf4 ? 0x8f : 0xbf;  // beyond U+10FFFF
    return in(byte(1), low, high) && in(byte(2), 0x80, 0xbf) && in(byte(3), 0x80, 0xbf) ? 4 : 0;
  }
  return 0;
}

void append_escaped_byte(std::string& out, char c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"':
      out.append("\\\"");
      return;
    case '\\':
      out.append("\\\\");
      return;
    case '\n':
      out.append("\\n");
      return;
    case '\r':
      out.append("\\r");
      return;
    case '\t':
      out.append("\\t");
      return;
    default:
      auto byte = static_cast<unsigned char>(c);
      out.append("\\u00").push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
  }
}

/// Writes `[time,"` into `out`, which has room for 32 bytes; returns the end.
char* write_point_start(char* out, TimestampMs t) {
  *out++ = '[';
  std::uint64_t magnitude = static_cast<std::uint64_t>(t);
  if (t < 0) {
    *out++ = '-';
    magnitude = 0 - magnitude;
  }
  out = std::to_chars(out, out + 20, magnitude / 1000).ptr;
  if (unsigned fraction = magnitude % 1000; fraction != 0) {
    *out++ = '.';
    *out++ = static_cast<char>('0' + fraction / 100);
    *out++ = static_cast<char>('0' + fraction / 10 % 10);
    *out++ = static_cast<char>('0' + fraction % 10);
  }
  *out++ = ',';
  *out++ = '"';
  return out;
}

/// Most values are whole numbers, which need no shortest-digits search.
constexpr double kExactIntegers = 9007199254740992.0;  // 2^53

/// Up to 15 digits two different decimals are two different doubles, so that a decimal which reads back the same is
/// the shortest one.
constexpr double kExactDecimals = 1e15;

/// Writes a value of at most `digits` decimals, of which `scaled` is the value times 10^digits.
char* write_decimal(char* out, std::int64_t scaled, std::uint64_t scale, int digits) {
  std::uint64_t magnitude = static_cast<std::uint64_t>(scaled);
  if (scaled < 0) {
    *out++ = '-';
    magnitude = 0 - magnitude;
  }
  out = std::to_chars(out, out + 24, magnitude / scale).ptr;
  *out++ = '.';
  std::uint64_t fraction = magnitude % scale;
  for (int i = digits - 1; i >= 0; --i) {
    out[i] = static_cast<char>('0' + fraction % 10);
    fraction /= 10;
  }
  out += digits;
  while (out[-1] == '0') --out;
  return out;
}

/// As append_api_float, into a buffer of at least 32 bytes, for what fits there: null when it does not.
char* write_short_value(char* out, double v) {
  if (!(std::fabs(v) < kExactIntegers)) return nullptr;
  auto whole = static_cast<std::int64_t>(v);
  if (static_cast<double>(whole) == v) {
    if (whole == 0 && std::signbit(v)) *out++ = '-';
    return std::to_chars(out, out + 24, whole).ptr;
  }
  if (std::fabs(v) < 1e-6) return nullptr;
  if (double scaled = std::nearbyint(v * 1e3); scaled / 1e3 == v && std::fabs(scaled) < kExactDecimals) {
    return write_decimal(out, static_cast<std::int64_t>(scaled), 1'000, 3);
  }
  if (double scaled = std::nearbyint(v * 1e6); scaled / 1e6 == v && std::fabs(scaled) < kExactDecimals) {
    return write_decimal(out, static_cast<std::int64_t>(scaled), 1'000'000, 6);
  }
  return std::to_chars(out, out + 32, v, std::chars_format::fixed).ptr;
}

/// Writes a result: a state machine over series and points that stops after each piece.
class QueryResultBody final : public BodySource {
 public:
  QueryResultBody(QueryResult result, bool with_stats) : result_(std::move(result)), with_stats_(with_stats) {}

  bool next(std::string& out) override {
    std::size_t end = out.size() + kPieceBytes;
    out.reserve(end + kPieceBytes / 8);
    if (!started_) start(out);
    if (result_.type == ResultType::matrix || result_.type == ResultType::vector) {
      while (series_ < result_.series.size()) {
        if (out.size() >= end) return true;
        if (!write_series(out, end)) return true;
        // What is written is not needed any more; its values go with all others.
        result_.series[series_] = ResultSeries();
        ++series_;
      }
    } else {
      write_single(out);
    }
    if (result_.type != ResultType::scalar && result_.type != ResultType::string) out.push_back(']');
    if (with_stats_) {
      out.append(R"(,"stats":)");
      append_json_stats(out, result_.stats);
    }
    out.push_back('}');
    append_json_notes(out, result_.warnings, result_.infos);
    out.push_back('}');
    return false;
  }

 private:
  void start(std::string& out) {
    started_ = true;
    constexpr std::string_view kTypes[] = {"scalar", "string", "vector", "matrix"};
    out.append(R"({"status":"success","data":{"resultType":")").append(kTypes[static_cast<int>(result_.type)]);
    out.append(R"(","result":)");
    if (result_.type == ResultType::matrix || result_.type == ResultType::vector) out.push_back('[');
  }

  void write_single(std::string& out) {
    if (result_.type == ResultType::string) {
      out.push_back('[');
      append_json_time(out, result_.string_time);
      out.push_back(',');
      append_json_string(out, result_.text);
      out.push_back(']');
    } else if (!result_.series.empty() && !result_.series[0].values.empty()) {
      write_point(out, (*result_.series[0].times)[0], result_.series[0].values[0]);
    } else {
      out.append("[]");
    }
  }

  /// Goes on with the current series. False: the piece is full before the series' end.
  bool write_series(std::string& out, std::size_t end) {
    const ResultSeries& series = result_.series[series_];
    if (!in_series_) {
      if (series_ > 0) out.push_back(',');
      write_labels(out, series.labels);
      if (result_.type == ResultType::vector) {
        out.append(R"(,"value":)");
        write_point(out, series.times->at(0), series.values.at(0));
        out.push_back('}');
        return true;
      }
      out.append(R"(,"values":[)");
      prepare_times(series);
      in_series_ = true;
      point_ = 0;
    }
    while (point_ < series.values.size()) {
      if (out.size() >= end) return false;
      write_points(out, series);
    }
    out.append("]}");
    in_series_ = false;
    return true;
  }

  void write_labels(std::string& out, const LabelSet& labels) {
    out.append(R"({"metric":{)");
    bool first = true;
    for (const LabelPair& label : labels) {
      if (!first) out.push_back(',');
      first = false;
      append_json_string(out, result_.symbols->text(label.name));
      out.push_back(':');
      append_json_string(out, result_.symbols->text(label.value));
    }
    out.push_back('}');
  }

  /// Series mostly share their times, whose text is then made once.
  void prepare_times(const ResultSeries& series) {
    if (series.times == times_ || !series.times) return;
    times_ = series.times;
    time_text_.clear();
    time_ends_.clear();
    if (series.times.use_count() <= 2) return;
    char buffer[32];
    for (TimestampMs t : *times_) {
      time_text_.append(buffer, write_point_start(buffer, t));
      time_ends_.push_back(static_cast<std::uint32_t>(time_text_.size()));
    }
  }

  char* write_time(char* out, std::size_t point) const {
    if (time_ends_.empty()) return write_point_start(out, (*times_)[point]);
    std::size_t start = point == 0 ? 0 : time_ends_[point - 1];
    std::size_t size = time_ends_[point] - start;
    std::memcpy(out, time_text_.data() + start, size);
    return out + size;
  }

  /// Writes points of the current series into a block, and the block into `out`.
  void write_points(std::string& out, const ResultSeries& series) {
    char block[4096];
    char* position = block;
    constexpr std::size_t kPointBytes = 96;
    while (point_ < series.values.size() && position < block + sizeof block - kPointBytes) {
      if (point_ > 0) *position++ = ',';
      position = write_time(position, point_);
      double v = series.values[point_++];
      std::uint64_t bits = std::bit_cast<std::uint64_t>(v);
      if (bits == last_bits_ && last_size_ > 0) {
        std::memcpy(position, last_value_, sizeof last_value_);
        position += last_size_;
      } else if (char* end = write_short_value(position, v)) {
        last_bits_ = bits;
        last_size_ = static_cast<std::size_t>(end - position);
        std::memcpy(last_value_, position, sizeof last_value_);
        position = end;
      } else {
        out.append(block, position);
        append_api_float(out, v);
        out.append("\"]");
        return;
      }
      *position++ = '"';
      *position++ = ']';
    }
    out.append(block, position);
  }

  static void write_point(std::string& out, TimestampMs t, double v) {
    char buffer[32];
    out.append(buffer, write_point_start(buffer, t));
    append_api_float(out, v);
    out.append("\"]");
  }

  QueryResult result_;
  bool with_stats_;
  bool started_ = false;
  std::size_t series_ = 0;
  bool in_series_ = false;  ///< the start of the current series is written
  std::size_t point_ = 0;   ///< of the current series, the next to write
  std::shared_ptr<const std::vector<TimestampMs>> times_;
  std::string time_text_;                 ///< `[time,"` of each time of times_, if several series share it
  std::vector<std::uint32_t> time_ends_;  ///< where each ends
  std::uint64_t last_bits_ = 0;
  std::size_t last_size_ = 0;
  char last_value_[32] = {};
};

void append_string_list(std::string& out, std::string_view key, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  out.append(",\"").append(key).append("\":[");
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) out.push_back(',');
    append_json_string(out, texts[i]);
  }
  out.push_back(']');
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  std::size_t plain = 0;
  std::size_t i = 0;
  while (i < text.size()) {
    auto byte = static_cast<unsigned char>(text[i]);
    if (!kNeedsCare[byte]) {
      ++i;
      continue;
    }
    if (byte >= 0x7f) {
      std::size_t length = byte == 0x7f ? 1 : utf8_length(text.substr(i));
      if (length > 0) {
        i += length;
        continue;
      }
    }
    out.append(text, plain, i - plain);
    if (byte >= 0x80) {
      out.append(kReplacement);
    } else {
      append_escaped_byte(out, text[i]);
    }
    plain = ++i;
  }
  out.append(text, plain, i - plain);
  out.push_back('"');
}

void append_json_time(std::string& out, TimestampMs t) {
  char buffer[32];
  char* end = write_point_start(buffer, t);
  out.append(buffer + 1, end - 2);
}

void append_json_labels(std::string& out, const Labels& labels) {
  out.push_back('{');
  bool first = true;
  for (const Label& label : labels) {
    if (!first) out.push_back(',');
    first = false;
    append_json_string(out, label.name);
    out.push_back(':');
    append_json_string(out, label.value);
  }
  out.push_back('}');
}

void append_json_number(std::string& out, double v) { append_float(out, std::isfinite(v) ? v : 0); }

void append_json_notes(std::string& out, const std::vector<std::string>& warnings,
                       const std::vector<std::string>& infos) {
  append_string_list(out, "warnings", warnings);
  append_string_list(out, "infos", infos);
}

std::unique_ptr<BodySource> query_result_body(QueryResult result, bool with_stats) {
  return std::make_unique<QueryResultBody>(std::move(result), with_stats);
}

void append_json_stats(std::string& out, const QueryStats& stats) {
  const auto member = [&out](std::string_view name, double value) {
    if (out.back() != '{') out.push_back(',');
    out.append("\"").append(name).append("\":");
    append_json_number(out, value);
  };
  out.append(R"({"timings":{)");
  member("evalTotalTime", stats.evaluate);
  member("resultSortTime", stats.sort);
  member("queryPreparationTime", stats.prepare);
  member("innerEvalTime", std::max(stats.evaluate - stats.prepare - stats.sort, 0.0));
  member("execQueueTime", stats.queue);
  member("execTotalTime", stats.total);
  out.append(R"(},"samples":{)");
  member("totalQueryableSamples", static_cast<double>(stats.queryable_samples));
  member("peakSamples", static_cast<double>(stats.peak_samples));
  out.append("}}");
}

}  // namespace pipit
