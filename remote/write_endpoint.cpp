#include "remote/write_endpoint.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <unordered_map>
#include <vector>

#include "model/duration.h"
#include "remote/forwarded_labels.h"
#include "remote/metadata_sender.h"
#include "remote/queue_reader.h"
#include "remote/write_cursor.h"
#include "remote/write_shard.h"
#include "scrape/http_access.h"
#include "telemetry/log.h"

namespace pipit {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;

/// How long the queue must be behind before shards are doubled, and caught up before they are halved.
constexpr std::chrono::seconds kGrowAfter{5};
constexpr std::chrono::seconds kShrinkAfter{60};
/// Items that are read before other endpoints get their turn.
constexpr std::size_t kItemsInARow = 50'000;
/// How long looked-up metadata is believed.
constexpr std::chrono::seconds kMetadataAge{60};

class QueueEndpoint final : public WriteEndpoint, public std::enable_shared_from_this<QueueEndpoint> {
 public:
  QueueEndpoint(EndpointContext& context, const RemoteWriteConfig& config, const Labels& external_labels,
                const std::string& name, HttpUrl url, std::unique_ptr<WriteCursor> cursor)
      : context_(context),
        config_(config),
        settings_{config_, std::move(url), context.client.access(config_.http_client), context.user_agent,
                  config_.protocol},
        metrics_(context.metrics, name, settings_.url.text),
        labels_(context.store, external_labels, config_.write_relabel_configs),
        cursor_(std::move(cursor)),
        reader_(context.queue, context.queue.end()),
        deadline_(context.io),
        look_up_metadata_([this](std::string_view metric) { return find_metadata(metric); }) {
    begin_ = reader_.position();
    std::size_t shards = config_.min_shards;
    const auto& known = cursor_->state();
    if (known && known->begin > context.queue.end()) {
      // Segments are gone that the cursor knew: a folder that was restored in part, or a power failure.
      log_error("The queue of remote write ends before what was delivered; sending begins with its oldest segment",
                {{"url", settings_.url.text}});
      begin_ = {context.queue.first_segment(), 0, 0};
      reader_.seek(begin_);
      cursor_->store({begin_, begin_, 1});
    } else if (known) {
      begin_ = known->begin;
      reader_.seek(begin_);
      if (known->end > known->begin) {  // it was on its way when the process ended
        repeat_until_ = known->end;
        shards = std::max<std::size_t>(1, known->shards);
      }
    } else {
      cursor_->store({begin_, begin_, 1});
    }
    set_shards(shards);
    desired_shards_ = shards;
    metrics_.max_shards.set(static_cast<double>(config_.max_shards));
    metrics_.min_shards.set(static_cast<double>(config_.min_shards));
    metrics_.shard_capacity.set(static_cast<double>(config_.max_samples_per_send));
    metrics_.max_samples_per_send.set(static_cast<double>(config_.max_samples_per_send));
    if (config_.send_metadata) {
      metadata_sender_ =
          std::make_shared<MetadataSender>(context.io, context.client, settings_, metrics_, context.store);
    }
  }

  void start() override {
    if (metadata_sender_) metadata_sender_->start();
    fill();
  }

  void wake() override { fill(); }

  void flush(std::function<void()> done) override {
    flushed_ = std::move(done);
    if (in_flight_ > 0 && failing_) {
      end_flush();
      return;
    }
    fill();
  }

  void stop() override {
    stopped_ = true;
    flushed_ = nullptr;
    deadline_.cancel();
    for (const auto& shard : shards_) shard->stop();
    if (metadata_sender_) metadata_sender_->stop();
    if (settings_.access) settings_.access->stop();
    for (Gauge* gauge : {&metrics_.shards, &metrics_.desired_shards, &metrics_.pending_samples,
                         &metrics_.pending_exemplars, &metrics_.behind_segments}) {
      gauge->set(0);
    }
    cursor_->sync();
  }

  std::uint64_t needed_segment() const override { return begin_.segment; }

  void give_up_segment(std::uint64_t segment) override {
    if (reader_.position().segment > segment) return;
    std::uint64_t lost = 0;
    while (reader_.position().segment <= segment) {
      lost += reader_.count_rest_of_segment();
      reader_.seek({reader_.position().segment + 1, 0, 0});
    }
    if (pending_ == 0) begin_ = reader_.position();
    metrics_.unintended.add(static_cast<double>(lost));
    log_error("Samples were not delivered in time and are given up, as the queue of remote write is full",
              {{"url", settings_.url.text}, {"samples", lost}});
  }

  void sync() override {
    cursor_->sync();
    metrics_.behind_segments.set(static_cast<double>(context_.queue.end().segment - begin_.segment));
  }

 private:
  // ---- collecting a window ----------------------------------------------------------------------------------

  void fill() {
    if (stopped_ || in_flight_ > 0) return;
    if (pending_ == 0) {
      labels_.trim();
      if (!repeat_until_ && shards_.size() != desired_shards_) set_shards(desired_shards_);
    }
    bool at_end = false;
    bool full = false;
    const QueuePosition end = context_.queue.end();
    for (std::size_t items = 0; !full && !at_end; ++items) {
      if (items == kItemsInARow) {
        asio::post(context_.io, [self = shared_from_this()] { self->fill(); });
        return;
      }
      switch (reader_.next()) {
        case QueueReader::Item::end:
          at_end = true;
          break;
        case QueueReader::Item::sample:
          full = take(reader_.sample());
          break;
        case QueueReader::Item::exemplar:
          full = take(reader_.exemplar());
          break;
      }
      if (repeat_until_) full = reader_.position() >= *repeat_until_ || at_end;
    }
    metrics_.pending_samples.set(static_cast<double>(pending_));
    note_progress(at_end);
    if (pending_ == 0 && at_end) begin_ = reader_.position();  // what was read is not to be sent
    if (full || (flushed_ && pending_ > 0)) {
      send();
      return;
    }
    if (pending_ == 0) end_flush();
    wait_for_more(end);
  }

  /// `end` was the queue's when what there was had been read.
  void wait_for_more(QueuePosition end) {
    if (pending_ > 0 && !deadline_runs_) {
      deadline_runs_ = true;
      deadline_.expires_after(std::chrono::milliseconds(config_.batch_send_deadline));
      deadline_.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
        if (ec || !self->deadline_runs_) return;
        self->deadline_runs_ = false;
        if (!self->stopped_ && self->in_flight_ == 0 && self->pending_ > 0) self->send();
      });
    }
    context_.queue.arm();
    if (context_.queue.end() != end) {  // more came before anybody was to be woken
      asio::post(context_.io, [self = shared_from_this()] { self->fill(); });
    }
  }

  /// True when the window is full.
  bool take(const QueueReader::Sample& sample) {
    if (config_.sample_age_limit > 0 && sample.time < now_ms() - config_.sample_age_limit) {
      metrics_.too_old.add();
      return false;
    }
    const ForwardedLabels::Series& series = labels_.find(sample.series);
    if (series.fate != ForwardedLabels::Fate::sent) {
      (series.fate == ForwardedLabels::Fate::dropped ? metrics_.dropped_series : metrics_.unintended).add();
      return false;
    }
    WriteShard& shard = shard_of(sample.series);
    shard.samples().push_back({&series.labels, sample.series, sample.time, sample.value});
    newest_ = std::max(newest_, sample.time);
    ++pending_;
    return shard.samples().size() + shard.exemplars().size() >= config_.max_samples_per_send;
  }

  bool take(const QueueReader::ExemplarView& exemplar) {
    if (!config_.send_exemplars) return false;
    std::vector<Label> labels;
    for (const auto& [name, value] : decode_labels(exemplar.series)) {
      labels.push_back({std::string(name), std::string(value)});
    }
    std::string series = labels_.forward(Labels(std::move(labels)));
    if (series.empty()) return false;
    WriteShard& shard = shard_of(std::hash<std::string>()(series));
    shard.exemplars().push_back({std::move(series), std::string(exemplar.labels), exemplar.value, exemplar.time});
    ++pending_;
    metrics_.pending_exemplars.set(static_cast<double>(shard.exemplars().size()));
    return shard.samples().size() + shard.exemplars().size() >= config_.max_samples_per_send;
  }

  WriteShard& shard_of(std::uint64_t hash) {
    hash *= 0x9e3779b97f4a7c15U;  // ids of neighbours are neighbours
    return *shards_[(hash >> 32) % shards_.size()];
  }

  // ---- delivering it ------------------------------------------------------------------------------------------

  void send() {
    deadline_runs_ = false;
    deadline_.cancel();
    repeat_until_.reset();
    cursor_->store({begin_, reader_.position(), static_cast<std::uint32_t>(shards_.size())});
    if (Clock::now() - metadata_read_ > kMetadataAge) metadata_ = {};
    failing_ = false;
    ++in_flight_;  // of the loop itself
    for (const auto& shard : shards_) {
      if (shard->empty()) continue;
      ++in_flight_;
      shard->send([this] { delivered(); }, [this] { attempt_failed(); });
    }
    delivered();
  }

  void delivered() {
    if (--in_flight_ > 0) return;
    begin_ = reader_.position();
    cursor_->store({begin_, begin_, static_cast<std::uint32_t>(shards_.size())});
    pending_ = 0;
    failing_ = false;
    metrics_.pending_samples.set(0);
    metrics_.pending_exemplars.set(0);
    metrics_.highest_sent.set(static_cast<double>(newest_) / 1000);
    asio::post(context_.io, [self = shared_from_this()] { self->fill(); });
  }

  void attempt_failed() {
    failing_ = true;
    caught_up_ = behind_since_ = Clock::now();  // a receiver in trouble gets no more connections
    end_flush();
  }

  void end_flush() {
    if (auto done = std::exchange(flushed_, nullptr)) done();
  }

  // ---- shards ---------------------------------------------------------------------------------------------------

  void set_shards(std::size_t count) {
    while (shards_.size() > count) {
      shards_.back()->stop();
      shards_.pop_back();
    }
    while (shards_.size() < count) {
      shards_.push_back(
          std::make_shared<WriteShard>(context_.io, context_.client, settings_, metrics_, look_up_metadata_));
    }
    metrics_.shards.set(static_cast<double>(count));
  }

  /// More connections while the queue stays behind, fewer once it has long been caught up.
  void note_progress(bool at_end) {
    const auto now = Clock::now();
    if (at_end) {
      behind_since_ = now;
      if (now - caught_up_ > kShrinkAfter) {
        caught_up_ = now;
        desired_shards_ = std::max(desired_shards_ / 2, config_.min_shards);
      }
    } else {
      caught_up_ = now;
      if (now - behind_since_ > kGrowAfter) {
        behind_since_ = now;
        desired_shards_ = std::clamp(desired_shards_ * 2, config_.min_shards, config_.max_shards);
      }
    }
    desired_shards_ = std::clamp(desired_shards_, config_.min_shards, config_.max_shards);
    metrics_.desired_shards.set(static_cast<double>(desired_shards_));
  }

  const Metadata* find_metadata(std::string_view metric) {
    if (metadata_.empty()) metadata_read_ = Clock::now();
    const auto [found, fresh] = metadata_.try_emplace(std::string(metric));
    if (fresh) {
      auto known = context_.store.metadata(metric, 1);
      if (known.ok() && !known->empty()) found->second = std::move(known->front().metadata);
    }
    return found->second ? &*found->second : nullptr;
  }

  EndpointContext& context_;
  const RemoteWriteConfig config_;
  WriteRequestSettings settings_;
  WriteMetrics metrics_;
  ForwardedLabels labels_;
  std::unique_ptr<WriteCursor> cursor_;
  QueueReader reader_;
  asio::steady_timer deadline_;
  const MetadataLookup look_up_metadata_;
  std::unordered_map<std::string, std::optional<Metadata>> metadata_;  ///< nothing: the store knows none
  Clock::time_point metadata_read_{};
  std::shared_ptr<MetadataSender> metadata_sender_;
  std::vector<std::shared_ptr<WriteShard>> shards_;

  QueuePosition begin_;                        ///< of the window
  std::optional<QueuePosition> repeat_until_;  ///< of a window that was on its way before the start
  std::size_t pending_ = 0;                    ///< items of the window
  std::size_t in_flight_ = 0;                  ///< shards that deliver
  TimestampMs newest_ = 0;
  bool deadline_runs_ = false;
  bool failing_ = false;
  bool stopped_ = false;
  std::size_t desired_shards_ = 1;
  Clock::time_point behind_since_ = Clock::now();
  Clock::time_point caught_up_ = Clock::now();
  std::function<void()> flushed_;
};

}  // namespace

Result<std::shared_ptr<WriteEndpoint>> WriteEndpoint::make(EndpointContext& context, const RemoteWriteConfig& config,
                                                           const Labels& external_labels, const std::string& name,
                                                           const std::filesystem::path& cursor_path) {
  auto url = parse_http_url(config.url);
  if (!url.ok()) return url.error();
  auto cursor = WriteCursor::open(cursor_path);
  if (!cursor.ok()) return cursor.error();
  std::shared_ptr<WriteEndpoint> endpoint =
      std::make_shared<QueueEndpoint>(context, config, external_labels, name, std::move(*url), std::move(*cursor));
  return endpoint;
}

}  // namespace pipit
