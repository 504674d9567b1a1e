#include "tools/graph.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "model/number.h"
#include "tools/graph_axis.h"
#include "tools/graph_canvas.h"
#include "tools/query_output.h"

namespace pipit {
namespace {

constexpr int kMinWidth = 40, kMaxWidth = 400;
constexpr int kMinHeight = 5, kMaxHeight = 60;
constexpr std::size_t kMaxLegend = 20;
constexpr int kRowsPerLabel = 4;
constexpr int kColumnsPerTime = 16;

/// Colours that can be read on dark and on light, of the 256 that terminals agree on.
constexpr int kColors[] = {34, 208, 33, 199, 142, 45, 129, 160, 72, 244};
constexpr char kLetters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

struct Point {
  TimestampMs time;
  double value;
};

std::optional<double> drawable(const AnswerPoint& point) {
  if (point.is_histogram) return std::nullopt;
  const std::optional<double> value = parse_float(point.value);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

std::string colored(const std::string& text, std::size_t series) {
  const int color = kColors[series % std::size(kColors)];
  return "\x1b[38;5;" + std::to_string(color) + "m" + text + "\x1b[0m";
}

std::string letter(std::size_t series) { return {kLetters[series % (sizeof(kLetters) - 1)]}; }

class GraphDrawing {
 public:
  GraphDrawing(const QueryAnswer& answer, const GraphStyle& style) : answer_(answer), style_(style) {
    style_.width = std::clamp(style_.width, kMinWidth, kMaxWidth);
    style_.height = std::clamp(style_.height, kMinHeight, kMaxHeight);
    letters_ = !style_.unicode || (!style_.color && answer_.series.size() > 1);
  }

  std::string draw() {
    if (!set_value_axis()) return out_ + legend();
    for (const std::string& label : axis_.labels) label_width_ = std::max(label_width_, display_width(label));
    const int columns = style_.width - static_cast<int>(label_width_) - 2;
    GraphCanvas canvas(std::max(columns, 10), style_.height);
    for (std::size_t i = 0; i < answer_.series.size(); ++i) draw_series(answer_.series[i], static_cast<int>(i), canvas);
    append_plot(canvas);
    append_times(canvas);
    return out_ + legend();
  }

 private:
  /// False when no series has a number to draw.
  bool set_value_axis() {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (const AnswerSeries& series : answer_.series) {
      for (const AnswerPoint& point : series.points) {
        const std::optional<double> value = drawable(point);
        if (!value) continue;
        low = std::min(low, *value);
        high = std::max(high, *value);
      }
    }
    if (low > high) {
      out_ += "(no numbers to draw)\n";
      return false;
    }
    axis_ = make_value_axis(low, high, std::max(style_.height / kRowsPerLabel, 2));
    return true;
  }

  int x_of(TimestampMs t, const GraphCanvas& canvas) const {
    if (style_.end <= style_.start) return 0;
    const double part = static_cast<double>(t - style_.start) / static_cast<double>(style_.end - style_.start);
    return static_cast<int>(std::lround(std::clamp(part, 0.0, 1.0) * (canvas.dots_across() - 1)));
  }

  int y_of(double v, const GraphCanvas& canvas) const {
    const double part = std::clamp(axis_.position(v), 0.0, 1.0);
    return static_cast<int>(std::lround((1 - part) * (canvas.dots_down() - 1)));
  }

  void draw_series(const AnswerSeries& series, int pen, GraphCanvas& canvas) const {
    std::optional<Point> last;
    for (const AnswerPoint& point : series.points) {
      const std::optional<double> value = drawable(point);
      const bool connected = value && last && point.time - last->time <= style_.step;
      if (value && (point.time < style_.start || point.time > style_.end)) continue;
      if (connected) {
        canvas.line(x_of(last->time, canvas), y_of(last->value, canvas), x_of(point.time, canvas), y_of(*value, canvas),
                    pen);
      } else if (value) {
        canvas.dot(x_of(point.time, canvas), y_of(*value, canvas), pen);
      }
      last = value ? std::optional<Point>({point.time, *value}) : std::nullopt;
    }
  }

  /// A row of the plot; neighbours of one series share their colour codes.
  std::string plot_row(const GraphCanvas& canvas, int row) const {
    std::string line, run;
    int run_pen = -1;
    const auto end_run = [&] {
      const auto series = static_cast<std::size_t>(run_pen);
      line += run_pen >= 0 && style_.color ? colored(run, series) : run;
      run.clear();
    };
    for (int column = 0; column < canvas.columns(); ++column) {
      const int pen = canvas.pen_at(column, row);
      if (pen != run_pen) end_run();
      run_pen = pen;
      run += letters_ && pen >= 0 ? letter(static_cast<std::size_t>(pen)) : canvas.braille_at(column, row);
    }
    end_run();
    return line;
  }

  void append_plot(const GraphCanvas& canvas) {
    std::vector<const std::string*> labels(static_cast<std::size_t>(canvas.rows()));
    for (std::size_t i = 0; i < axis_.ticks.size(); ++i) {
      const int row = y_of(axis_.ticks[i], canvas) / GraphCanvas::kDotsDown;
      labels[static_cast<std::size_t>(row)] = &axis_.labels[i];
    }
    for (int row = 0; row < canvas.rows(); ++row) {
      const std::string* label = labels[static_cast<std::size_t>(row)];
      const std::string text = label ? *label : std::string();
      std::string line(label_width_ - display_width(text), ' ');
      line += text + ' ' + (style_.unicode ? (label ? "┤" : "│") : (label ? "+" : "|"));
      line += plot_row(canvas, row);
      append_trimmed(line);
    }
  }

  void append_times(const GraphCanvas& canvas) {
    const TimeAxis times = make_time_axis(style_.start, style_.end, std::max(canvas.columns() / kColumnsPerTime, 2));
    std::vector<bool> marks(static_cast<std::size_t>(canvas.columns()));
    std::string labels(label_width_ + 2, ' ');
    const std::size_t origin = labels.size();
    for (std::size_t i = 0; i < times.ticks.size(); ++i) {
      const auto column = static_cast<std::size_t>(x_of(times.ticks[i], canvas) / GraphCanvas::kDotsAcross);
      marks[column] = true;
      // Centred on its mark, but inside the picture and apart from its neighbour.
      const std::size_t half = std::min(times.labels[i].size() / 2, origin + column);
      const std::size_t at =
          std::min(origin + column - half, origin + marks.size() - std::min(marks.size(), times.labels[i].size()));
      if (labels.size() > origin && labels.size() + 1 > at) continue;
      labels.resize(at, ' ');
      labels += times.labels[i];
    }
    std::string line(label_width_ + 1, ' ');
    line += style_.unicode ? "└" : "+";
    for (const bool mark : marks) line += style_.unicode ? (mark ? "┬" : "─") : (mark ? "+" : "-");
    append_trimmed(line);
    append_trimmed(labels);
    out_ += std::string(origin, ' ') + format_local_time(style_.start) + " to " + format_local_time(style_.end) + '\n';
  }

  std::string legend() const {
    std::string out;
    const std::size_t shown = std::min(answer_.series.size(), kMaxLegend);
    for (std::size_t i = 0; i < shown; ++i) {
      const std::string mark = letters_ ? letter(i) : "━━";
      out += "  " + (style_.color ? colored(mark, i) : mark) + ' ' + answer_.series[i].labels.to_string() + '\n';
    }
    if (answer_.series.size() > shown) {
      out += "  and " + std::to_string(answer_.series.size() - shown) + " more series\n";
    }
    return out;
  }

  void append_trimmed(std::string& line) {
    line.erase(line.find_last_not_of(' ') + 1);
    out_ += line + '\n';
  }

  const QueryAnswer& answer_;
  GraphStyle style_;
  ValueAxis axis_;
  std::size_t label_width_ = 0;
  bool letters_ = false;
  std::string out_;
};

}  // namespace

std::string format_graph(const QueryAnswer& answer, const GraphStyle& style) {
  if (answer.series.empty()) return "";
  return GraphDrawing(answer, style).draw();
}

}  // namespace pipit
