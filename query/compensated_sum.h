#pragma once

#include <cmath>

namespace pipit {

/// A sum that carries the bits that floating point addition loses (Neumaier's variant of Kahan summation), with the
/// same operations as Prometheus (util/kahansum), so that results agree to the last bit.
struct CompensatedSum {
  double sum = 0;
  double lost = 0;

  void add(double x) {
    double t = sum + x;
    if (std::isinf(t)) {
      lost = 0;
    } else if (std::fabs(sum) >= std::fabs(x)) {
      lost += (sum - t) + x;
    } else {
      lost += (x - t) + sum;
    }
    sum = t;
  }
  void merge(const CompensatedSum& o) {
    add(o.sum);
    if (!std::isinf(sum)) lost += o.lost;
  }
  double value() const { return std::isinf(sum) ? sum : sum + lost; }
};

/// A mean that survives a sum too large for a double: it adds up until that overflows, then goes on as a running mean.
/// Source: Prometheus, avg and avg_over_time. REQUIRES: at least one add before value().
struct CompensatedMean {
  CompensatedSum sum;  ///< of the samples, or their mean when `running`
  double count = 0;
  bool running = false;

  void add(double x) {
    count += 1;
    if (count == 1) {
      sum = {x, 0};
      return;
    }
    if (!running) {
      CompensatedSum next = sum;
      next.add(x);
      if (!std::isinf(next.sum)) {
        sum = next;
        return;
      }
      running = true;
      sum.sum /= count - 1;
      sum.lost /= count - 1;
    }
    double q = (count - 1) / count;
    sum.sum *= q;
    sum.lost *= q;
    sum.add(x / count);
  }
  double value() const { return running ? sum.sum + sum.lost : sum.sum / count + sum.lost / count; }
};

/// Variance by Welford's method, compensated. Source: Prometheus, stdvar_over_time and stdvar.
struct Variance {
  double count = 0;
  CompensatedSum mean;
  CompensatedSum squares;

  void add(double x) {
    count += 1;
    double delta = x - (mean.sum + mean.lost);
    mean.add(delta / count);
    squares.add(delta * (x - (mean.sum + mean.lost)));
  }
  double value() const { return (squares.sum + squares.lost) / count; }
};

}  // namespace pipit
