#include "storage/packed_values.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "model/vectorized.h"
#include "storage/coding.h"
#include "storage/decimal.h"
#include "storage/integer_unpacker.h"

namespace pipit {
namespace {

/// Below it, tokens are as short and need no tables.
constexpr std::size_t kMinChanges = 8;

// The first byte: the decimal scale in its low bits, and these.
constexpr std::uint8_t kScaleBits = 0x0f;
constexpr std::uint8_t kBits = 0x10;  ///< the integers are doubles' bits
/// Instead of the scale: there are negative doubles, whose bits sort the other way round, so the summary says nothing.
constexpr std::uint8_t kSigned = 0x01;
constexpr unsigned kFormShift = 5;  ///< of two bits that say which lists follow
constexpr std::uint8_t kExceptions = 0x80;

/// Which lists follow: the steps above the first value; their differences; the differences of those; or, where most
/// values are their predecessors, how many unchanged ones come before each change, and the changes.
enum class Form : std::uint8_t { steps = 0, deltas = 1, second_deltas = 2, changes = 3 };

void put_signed(std::string& out, std::uint64_t bits) { put_varint(out, zigzag(bits)); }

bool less(std::uint64_t a, std::uint64_t b) { return static_cast<std::int64_t>(a) < static_cast<std::int64_t>(b); }

/// About how many bits the numbers cost: their distances from the mean, and the distances' widths as an entropy coder
/// would have them.
double estimated_bits(std::span<const std::uint64_t> numbers) {
  const auto sum = static_cast<std::int64_t>(std::accumulate(numbers.begin(), numbers.end(), std::uint64_t{0}));
  const auto mean = static_cast<std::uint64_t>(sum / static_cast<std::int64_t>(numbers.size()));
  std::array<std::uint32_t, 65> of_width{};
  for (const std::uint64_t number : numbers) ++of_width[static_cast<unsigned>(std::bit_width(zigzag(number - mean)))];
  const auto all = static_cast<double>(numbers.size());
  double bits = all * std::log2(all);
  for (unsigned width = 0; width < of_width.size(); ++width) {
    if (of_width[width] == 0) continue;
    const double count = of_width[width];
    bits += count * ((width > 1 ? width - 1 : 0) - std::log2(count));
  }
  return bits;
}

bool has_negative(std::span<const double> values) {
  return std::any_of(values.begin(), values.end(), [](double value) { return value < 0; });
}

}  // namespace

// ---- writing --------------------------------------------------------------------------------------------

bool PackedValuesEncoder::encode(std::span<const double> values, std::string& out) {
  changes_ = 0;
  for (std::size_t i = 1; i < values.size(); ++i) {
    if (std::bit_cast<std::uint64_t>(values[i]) != std::bit_cast<std::uint64_t>(values[i - 1])) ++changes_;
  }
  if (changes_ < kMinChanges) return false;
  const int scale = common_scale(values);
  if (!take_integers(values, scale)) return false;
  take_unit(scale >= 0);
  const std::size_t start = out.size();
  out += '\0';  // known below
  put_summary(scale, out);
  if (!exceptions_.empty()) put_exceptions(out);
  auto head = static_cast<std::uint8_t>(scale);
  if (scale < 0) head = kBits | (has_negative(values) ? kSigned : 0);
  if (!exceptions_.empty()) head |= kExceptions;
  head |= static_cast<std::uint8_t>(put_lists(out) << kFormShift);
  out[start] = static_cast<char>(head);
  return true;
}

bool PackedValuesEncoder::take_integers(std::span<const double> values, int scale) {
  integers_.resize(values.size());
  exceptions_.clear();
  changes_ = 0;
  std::uint64_t last = 0;
  bool any = false;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto bits = std::bit_cast<std::uint64_t>(values[i]);
    std::int64_t n = 0;
    const bool regular = scale >= 0 ? to_decimal(values[i], scale, n) : !is_special(values[i]);
    if (!regular) {
      const bool goes_on = !exceptions_.empty() && exceptions_.back().bits == bits &&
                           exceptions_.back().first + exceptions_.back().length == i;
      if (goes_on) {
        ++exceptions_.back().length;
      } else {
        exceptions_.push_back({i, 1, bits});
      }
    } else {
      const std::uint64_t integer = scale >= 0 ? static_cast<std::uint64_t>(n) : bits;
      if (!any) std::fill_n(integers_.begin(), i, integer);
      if (any && integer != last) ++changes_;
      last = integer;
      any = true;
    }
    integers_[i] = last;
  }
  return changes_ >= kMinChanges && exceptions_.size() <= 2 + values.size() / 8;
}

/// Counts from the first value, in the largest unit of which all are multiples.
void PackedValuesEncoder::take_unit(bool decimal) {
  const std::uint64_t first = integers_[0];
  unit_ = 0;
  if (decimal) {
    std::uint64_t last = 0;
    for (const std::uint64_t integer : integers_) {
      const std::uint64_t above = integer - first;
      if (above == last) continue;
      last = above;
      unit_ = std::gcd(unit_, less(above, 0) ? 0 - above : above);
      if (unit_ == 1) break;
    }
  } else {
    for (const std::uint64_t integer : integers_) unit_ |= integer - first;
    unit_ = std::uint64_t{1} << std::countr_zero(unit_);
  }
  const auto unit = static_cast<std::int64_t>(unit_);
  const bool one = unit_ == 1;
  const int shift = std::countr_zero(unit_);
  for (std::uint64_t& integer : integers_) {
    const auto above = static_cast<std::int64_t>(integer - first);
    integer = static_cast<std::uint64_t>(one ? above : decimal ? above / unit : above >> shift);
  }
  first_ = first;
}

void PackedValuesEncoder::put_summary(int scale, std::string& out) const {
  std::uint64_t lowest = 0;
  std::uint64_t highest = 0;
  std::uint64_t resets = 0;
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < integers_.size(); ++i) {
    const std::uint64_t step = integers_[i];
    if (less(step, lowest)) lowest = step;
    if (less(highest, step)) highest = step;
    if (i > 0 && less(step, integers_[i - 1])) ++resets;
    sum += step;
  }
  for (const Exception& e : exceptions_) {
    for (std::size_t i = 0; i < e.length; ++i) sum -= integers_[e.first + i];
  }
  put_varint(out, unit_);
  put_signed(out, first_);
  put_signed(out, integers_.back());
  put_varint(out, 0 - lowest);
  put_varint(out, highest);
  put_varint(out, changes_);
  put_varint(out, resets);
  if (scale == 0) put_signed(out, sum);
}

void PackedValuesEncoder::put_exceptions(std::string& out) const {
  put_varint(out, exceptions_.size());
  std::size_t at = 0;
  for (const Exception& e : exceptions_) {
    put_varint(out, e.first - at);
    put_varint(out, e.length - 1);
    put_fixed64(out, e.bits);
    at = e.first + e.length;
  }
}

/// Writes the lists that are shortest and returns which they are.
std::uint8_t PackedValuesEncoder::put_lists(std::string& out) {
  const std::size_t most = integers_.size() - 1;
  const std::size_t start = out.size();
  auto form = Form::changes;
  // Huffman's codes are no shorter than a bit. So where most values do not change, the changes are listed; in between
  // both ways are tried.
  if (changes_ * 5 < most * 3) put_changes(out);
  if (changes_ * 5 <= most * 2) return static_cast<std::uint8_t>(form);
  std::array<double, 3> cost{};
  for (unsigned order = 0; order < cost.size(); ++order) {
    take_residuals(order);
    cost[order] = estimated_bits(residuals_);
  }
  const double least = *std::min_element(cost.begin(), cost.end());
  std::size_t best = out.size() == start ? std::numeric_limits<std::size_t>::max() : (out.size() - start) * 8;
  for (unsigned order = 0; order < cost.size(); ++order) {
    if (cost[order] > least + static_cast<double>(most) / 4) continue;  // the costs are rough
    take_residuals(order);
    const std::size_t bits = packer_.plan(residuals_);
    if (bits >= best) continue;
    best = bits;
    form = static_cast<Form>(order);
    std::swap(packer_, best_packer_);
    std::swap(residuals_, best_residuals_);
  }
  if (form != Form::changes) {
    out.resize(start);
    best_packer_.write(out);
  }
  return static_cast<std::uint8_t>(form);
}

void PackedValuesEncoder::take_residuals(unsigned order) {
  residuals_.resize(integers_.size() - 1);
  std::uint64_t before = 0;  // the integer and the delta
  std::uint64_t delta = 0;
  for (std::size_t i = 0; i < residuals_.size(); ++i) {
    const std::uint64_t next = integers_[i + 1];
    residuals_[i] = order == 0 ? next : order == 1 ? next - before : next - before - delta;
    delta = next - before;
    before = next;
  }
}

void PackedValuesEncoder::put_changes(std::string& out) {
  gaps_.clear();
  residuals_.clear();
  std::uint64_t gap = 0;
  for (std::size_t i = 1; i < integers_.size(); ++i) {
    if (integers_[i] == integers_[i - 1]) {
      ++gap;
    } else {
      gaps_.push_back(std::exchange(gap, 0));
      residuals_.push_back(integers_[i] - integers_[i - 1]);
    }
  }
  std::string gap_list;
  packer_.plan(gaps_);
  packer_.write(gap_list);
  put_text(out, gap_list);
  packer_.plan(residuals_);
  packer_.write(out);
}

// ---- reading --------------------------------------------------------------------------------------------

namespace {

/// What stands before the lists.
struct Head {
  bool decimal = false;
  int scale = 0;
  Form form = Form::steps;
  std::uint64_t unit = 1;
  std::uint64_t first = 0;
  std::uint64_t last = 0;  ///< this and the next two in units above the first
  std::uint64_t lowest = 0;
  std::uint64_t highest = 0;
  std::uint64_t changes = 0;
  std::uint64_t resets = 0;
  std::uint64_t sum = 0;
  std::uint64_t exceptions = 0;

  double value(std::uint64_t step) const {
    const std::uint64_t n = first + step * unit;
    return decimal ? from_decimal(static_cast<std::int64_t>(n), scale) : std::bit_cast<double>(n);
  }
};

bool read_signed(ByteReader& reader, std::uint64_t& value) {
  if (!reader.varint(value)) return false;
  value = unzigzag(value);
  return true;
}

bool read_head(ByteReader& reader, std::uint32_t count, Head& head) {
  std::uint8_t first;
  if (!reader.byte(first)) return false;
  head.decimal = (first & kBits) == 0;
  head.scale = first & kScaleBits;
  head.form = static_cast<Form>(first >> kFormShift & 3);
  if (!head.decimal && head.scale > kSigned) return false;
  const bool good = reader.varint(head.unit) && read_signed(reader, head.first) && read_signed(reader, head.last) &&
                    reader.varint(head.lowest) && reader.varint(head.highest) && reader.varint(head.changes) &&
                    reader.varint(head.resets);
  if (!good || head.changes == 0 || head.changes >= count || head.resets > head.changes) return false;
  head.lowest = 0 - head.lowest;
  if (head.decimal && head.scale == 0 && !read_signed(reader, head.sum)) return false;
  return (first & kExceptions) == 0 || reader.varint(head.exceptions);
}

/// Calls `visit(first, length, bits)` for each run of exceptions.
template <class Visit>
bool read_exceptions(ByteReader& reader, const Head& head, std::uint32_t count, Visit visit) {
  std::uint64_t at = 0;
  for (std::uint64_t i = 0; i < head.exceptions; ++i) {
    std::uint64_t gap;
    std::uint64_t length;
    std::uint64_t bits;
    if (!reader.varint(gap) || !reader.varint(length) || !reader.fixed64(bits)) return false;
    if (gap >= count - at || length >= count - at - gap) return false;
    visit(at + gap, length + 1, bits);
    at += gap + length + 1;
  }
  return true;
}

/// Sums lists up, as often as their form says, into what they count from the first value. A list may come in parts.
class Sums {
 public:
  explicit Sums(Form form) : form_(form) {}

  void add_up(std::span<double> steps) {
    std::uint64_t step = step_;
    std::uint64_t delta = delta_;
    if (form_ == Form::deltas) {
      for (double& each : steps) each = std::bit_cast<double>(step += std::bit_cast<std::uint64_t>(each));
    } else if (form_ == Form::second_deltas) {
      for (double& each : steps) {
        delta += std::bit_cast<std::uint64_t>(each);
        each = std::bit_cast<double>(step += delta);
      }
    }
    step_ = step;
    delta_ = delta;
  }

 private:
  Form form_;
  std::uint64_t step_ = 0;
  std::uint64_t delta_ = 0;
};

/// In blocks of a fixed size, of which compilers make vectors.
template <class Convert>
inline __attribute__((always_inline)) void convert_blocks(double* data, std::size_t size, Convert to_value) {
  constexpr std::size_t kBlock = 16;
  std::size_t i = 0;
  for (; i + kBlock <= size; i += kBlock) {
    for (std::size_t k = 0; k < kBlock; ++k) data[i + k] = to_value(std::bit_cast<std::uint64_t>(data[i + k]));
  }
  for (; i < size; ++i) data[i] = to_value(std::bit_cast<std::uint64_t>(data[i]));
}

template <class Convert>
void convert(std::span<double> steps, Convert to_value) {
  vectorized([ data = steps.data(), size = steps.size(), to_value ]()
                 __attribute__((always_inline)) { convert_blocks(data, size, to_value); });
}

/// The quotients of integers of less than 51 bits and a power of ten up to 10^15. A division costs several times as
/// much as a multiplication by the reciprocal, the remainder, and its share. The result is the same: the remainder is
/// exact, as the divisor ends in zero bits, and the sum lies within 2^-51 units in the last place of the quotient,
/// which lies further than 2^-37 from where rounding changes.
template <class ToDividend>
void convert_quotients(std::span<double> steps, double divisor, ToDividend to_dividend) {
  vectorized_with_fma(
      [ data = steps.data(), size = steps.size(), divisor, reciprocal = 1 / divisor, to_dividend ]()
          __attribute__((always_inline)) {
            convert_blocks(data, size, [=](std::uint64_t n) {
              const double dividend = to_dividend(n);
              const double quotient = dividend * reciprocal;
              const double remainder = std::fma(-quotient, divisor, dividend);
              return std::fma(remainder, reciprocal, quotient);
            });
          },
      [=] { convert(steps, [=](std::uint64_t n) { return to_dividend(n) / divisor; }); });
}

/// An integer of less than 51 bits as a double: one addition and one subtraction, which vectors have where they lack
/// the conversion.
double small_to_double(std::uint64_t n) {
  constexpr double kMagic = 0x1.8p52;
  return std::bit_cast<double>(n + std::bit_cast<std::uint64_t>(kMagic)) - kMagic;
}

void to_values(const Head& head, std::span<double> steps) {
  const std::uint64_t first = head.first;
  const std::uint64_t unit = head.unit;
  const double divisor = kPowerOfTen[head.scale];
  if (!head.decimal) return convert(steps, [=](std::uint64_t n) { return std::bit_cast<double>(first + n * unit); });
  constexpr double kSmall = 0x1p50;
  const bool small =
      std::abs(head.value(head.lowest)) * divisor < kSmall && std::abs(head.value(head.highest)) * divisor < kSmall;
  if (!small) {
    convert(steps, [=](std::uint64_t n) {
      return static_cast<double>(static_cast<std::int64_t>(first + n * unit)) / divisor;
    });
  } else if (unit == 1 && head.scale == 0) {
    convert(steps, [=](std::uint64_t n) { return small_to_double(first + n); });
  } else if (unit == 1) {
    convert_quotients(steps, divisor, [=](std::uint64_t n) { return small_to_double(first + n); });
  } else {
    convert_quotients(steps, divisor, [=](std::uint64_t n) { return small_to_double(first + n * unit); });
  }
}

/// Most runs are short, and a fixed number of stores costs less than a loop that ends unforeseen.
void fill(std::span<double> out, std::size_t at, std::size_t count, double value) {
  constexpr std::size_t kAtOnce = 8;
  if (at + kAtOnce > out.size() || count > kAtOnce) {
    std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(at), count, value);
  } else {
    for (std::size_t i = 0; i < kAtOnce; ++i) out[at + i] = value;
  }
}

bool read_changes(const Head& head, std::string_view lists, std::span<double> out) {
  ByteReader reader(lists);
  std::string_view gap_list;
  if (!reader.text(gap_list)) return false;
  IntegerUnpacker unpacker;
  std::vector<std::uint64_t> gaps(head.changes);
  std::vector<std::uint64_t> deltas(head.changes);
  if (!unpacker.unpack(gap_list, gaps) || !unpacker.unpack(reader.rest(), deltas)) return false;
  double last = out[0];
  std::uint64_t step = 0;
  std::size_t at = 1;
  for (std::size_t i = 0; i < gaps.size(); ++i) {
    if (gaps[i] >= out.size() - at) return false;
    fill(out, at, gaps[i], last);
    at += gaps[i];
    last = head.value(step += deltas[i]);
    out[at++] = last;
  }
  std::fill(out.begin() + static_cast<std::ptrdiff_t>(at), out.end(), last);
  return true;
}

}  // namespace

bool exact_sum(const ChunkSummary& summary) {
  return std::max(std::abs(summary.min), std::abs(summary.max)) * summary.count < 0x1p53;
}

bool decode_packed_values(std::string_view body, std::uint32_t count, double* out) {
  ByteReader reader(body);
  Head head;
  if (count > kMaxPackedIntegers || !read_head(reader, count, head)) return false;
  ByteReader exceptions = reader;
  if (!read_exceptions(reader, head, count, [](auto...) {})) return false;
  const std::span<double> values(out, count);
  out[0] = head.value(0);
  if (head.form == Form::changes) {
    if (!read_changes(head, reader.rest(), values)) return false;
  } else {
    IntegerUnpacker unpacker;
    const auto rest = values.subspan(1);
    if (!unpacker.unpack(reader.rest(), rest)) return false;
    // In parts, which stay in the first-level cache until they are values.
    constexpr std::size_t kPart = 512;
    Sums sums(head.form);
    for (std::size_t i = 0; i < rest.size(); i += kPart) {
      const auto part = rest.subspan(i, std::min(kPart, rest.size() - i));
      sums.add_up(part);
      to_values(head, part);
    }
  }
  return read_exceptions(exceptions, head, count, [&](std::uint64_t at, std::uint64_t length, std::uint64_t bits) {
    std::fill_n(out + at, length, std::bit_cast<double>(bits));
  });
}

bool read_packed_newest(std::string_view body, std::uint32_t count, double& value) {
  ByteReader reader(body);
  Head head;
  if (!read_head(reader, count, head)) return false;
  value = head.value(head.last);
  return read_exceptions(reader, head, count, [&](std::uint64_t at, std::uint64_t length, std::uint64_t bits) {
    if (at + length == count) value = std::bit_cast<double>(bits);
  });
}

bool read_packed_summary(std::string_view body, std::uint32_t count, std::optional<ChunkSummary>& summary) {
  ByteReader reader(body);
  Head head;
  summary.reset();
  if (!read_head(reader, count, head)) return false;
  bool plain = true;
  std::uint64_t stale = 0;
  const bool good = read_exceptions(reader, head, count, [&](std::uint64_t, std::uint64_t length, std::uint64_t bits) {
    plain = plain && is_stale_nan(std::bit_cast<double>(bits));
    stale += length;
  });
  if (!good || stale >= count) return false;
  if (!plain || (!head.decimal && head.scale == kSigned)) return true;
  ChunkSummary found;
  found.count = count - static_cast<std::uint32_t>(stale);
  found.first = head.value(0);
  found.last = head.value(head.last);
  found.min = head.value(head.lowest);
  found.max = head.value(head.highest);
  found.changes = static_cast<std::uint32_t>(head.changes);
  found.resets = static_cast<std::uint32_t>(head.resets);
  if (head.decimal && head.scale == 0 && exact_sum(found)) {
    found.sum = static_cast<double>(static_cast<std::int64_t>(head.first * found.count + head.sum * head.unit));
  }
  summary = found;
  return true;
}

}  // namespace pipit
